import subprocess
import sys

import httpx
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from serve_app.asgi import ROUTERS, create_api, create_asgi_app
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.fakes.world import World

BODY = {"agent_id": "agent", "user_id": "user", "content": "green tea"}


def build(world: World) -> ASGIApp:
    return create_asgi_app(world.service, Settings(), PrometheusMeter(), world.meter)


async def test_two_applications_share_nothing():
    one, other = World(), World()
    transports = [httpx.ASGITransport(build(world)) for world in (one, other)]
    async with httpx.AsyncClient(transport=transports[0], base_url="http://one") as client:
        assert (await client.post("/v1/memories", json=BODY)).status_code == 201
    async with httpx.AsyncClient(transport=transports[1], base_url="http://other") as client:
        counted = await client.get("/v1/memories/count?agent_id=agent&user_id=user")
    assert counted.json()["count"] == 0


def test_every_route_but_the_pages_is_described():
    api = create_api(World().service, Settings(), PrometheusMeter())
    described = set(api.openapi()["paths"])
    routes = [route for router in ROUTERS for route in router.routes]
    assert described == {route.path for route in routes if isinstance(route, APIRoute)}
    assert len(described) >= 10


def test_it_needs_no_ray_and_no_driver():
    script = "import sys, serve_app.asgi; print({'ray', 'asyncpg', 'onnxruntime'} & {*sys.modules})"
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "set()"
