import httpx

from serve_app.asgi import create_asgi_app
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.world import World

PAGE = {"origin": "https://page.example"}
ASKING = PAGE | {"access-control-request-method": "POST"}


def grants(response: httpx.Response) -> dict[str, str]:
    return {name: told for name, told in response.headers.items() if name.startswith("access-")}


def open_world(world: World, origins: str) -> httpx.AsyncClient:
    settings = Settings(allowed_origins=origins)
    return open_client(create_asgi_app(world.service, settings, PrometheusMeter(), world.meter))


async def test_nobody_is_granted_anything_by_default(client: httpx.AsyncClient):
    asked = await client.options("/v1/memories", headers=ASKING)
    assert (asked.status_code, grants(asked)) == (405, {})
    assert grants(await client.get("/v1/memories", headers=PAGE)) == {}


async def test_a_listed_origin_may_call(world: World):
    async with open_world(world, "https://page.example/, https://other.example") as client:
        asked = await client.options("/v1/memories", headers=ASKING)
        assert asked.status_code == 200
        assert grants(asked)["access-control-allow-origin"] == "https://page.example"
        assert "PATCH" in grants(asked)["access-control-allow-methods"]
        answer = await client.get("/v1/memories", headers=PAGE)
        assert "x-request-id" in grants(answer)["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in grants(answer)


async def test_another_origin_may_not(world: World):
    async with open_world(world, "https://other.example") as client:
        asked = await client.options("/v1/memories", headers=ASKING)
        assert asked.status_code == 400
        assert "access-control-allow-origin" not in grants(asked)
        answer = await client.get("/v1/memories", headers=PAGE)
        assert "access-control-allow-origin" not in grants(answer)


async def test_every_answer_tells_the_page_even_a_refusal(world: World):
    async with open_world(world, "*") as client:
        answer = await client.get("/nowhere", headers=PAGE)
    assert (answer.status_code, grants(answer)["access-control-allow-origin"]) == (404, "*")
