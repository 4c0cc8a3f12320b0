import asyncio

import httpx
import pytest

from serve_app.asgi import create_asgi_app
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.world import World


async def test_the_root_says_what_this_is(client: httpx.AsyncClient):
    body = (await client.get("/")).json()
    assert (body["service"], body["docs"]) == ("fleetmem", "/docs")


async def test_health_is_degraded_without_the_database_and_still_200(
    client: httpx.AsyncClient, world: World
):
    world.memories.down = True
    response = await client.get("/health")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["db"] == "error: database_unavailable"


async def test_health_is_degraded_without_the_embedder(client: httpx.AsyncClient, world: World):
    world.embedder.down = True
    body = (await client.get("/health")).json()
    assert (body["status"], body["db"]) == ("degraded", "ok")


async def test_ready_when_everything_answers(client: httpx.AsyncClient):
    response = await client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "checks": {"database": "ok", "embedder": "ok"},
    }


async def test_not_ready_says_which_dependency(client: httpx.AsyncClient, world: World):
    world.embedder.down = True
    response = await client.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "not_ready")
    assert response.json()["checks"] == {"database": "ok", "embedder": "embedding_unavailable"}
    assert "retry-after" in response.headers


async def test_alive_whatever_is_down(client: httpx.AsyncClient, world: World):
    world.memories.down = world.embedder.down = True
    assert (await client.get("/livez")).json() == {"status": "ok"}


async def test_a_check_that_hangs_is_told_in_time(world: World, monkeypatch: pytest.MonkeyPatch):
    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(world.memories, "check_health", hang)
    settings = Settings(request_timeout_seconds=0.5)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        assert (await client.get("/health")).json()["db"] == "error: deadline_exceeded"
        assert (await client.get("/readyz")).json()["code"] == "not_ready"


async def test_a_check_that_breaks_is_told_without_its_text(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
):
    async def crash() -> None:
        raise OSError("postgres://secret")

    monkeypatch.setattr(world.memories, "check_health", crash)
    response = await client.get("/health")
    assert response.json()["db"] == "error: internal_error"
    assert "secret" not in response.text


async def test_metrics_are_those_of_the_source(world: World):
    meter = PrometheusMeter()
    meter.count("memory_operations", 3, operation="create")
    app = create_asgi_app(world.service, Settings(), meter, meter)
    async with open_client(app) as client:
        response = await client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'fleetmem_memory_operations_total{operation="create"} 3.0' in response.text
