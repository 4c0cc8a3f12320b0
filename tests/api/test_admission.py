import asyncio

import pytest

from serve_app.asgi import create_asgi_app
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.world import World

COUNT = "/v1/memories/count?agent_id=a&user_id=u"


@pytest.fixture
def gate(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Counting says that it has come in, and waits to be let out."""
    inside, let_out = asyncio.Event(), asyncio.Event()

    async def wait(scope: object) -> int:
        inside.set()
        await let_out.wait()
        return 0

    monkeypatch.setattr(world.memories, "count", wait)
    return inside, let_out


async def test_one_too_many_is_refused_at_once_and_probes_are_not(
    world: World, gate: tuple[asyncio.Event, asyncio.Event]
):
    inside, let_out = gate
    settings = Settings(max_concurrent_requests=1)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        first = asyncio.create_task(client.get(COUNT))
        await inside.wait()
        second = await client.get(COUNT)
        assert (second.status_code, second.json()["code"]) == (503, "overloaded")
        assert second.headers["retry-after"] == "1"
        for probe in ("/livez", "/readyz", "/health", "/metrics"):
            assert (await client.get(probe)).status_code == 200
        let_out.set()
        assert (await first).status_code == 200
        assert (await client.get(COUNT)).status_code == 200


async def test_a_caller_who_leaves_frees_the_place(
    world: World, gate: tuple[asyncio.Event, asyncio.Event]
):
    inside, let_out = gate
    settings = Settings(max_concurrent_requests=1)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        first = asyncio.create_task(client.get(COUNT))
        await inside.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        let_out.set()
        assert (await client.get(COUNT)).status_code == 200
