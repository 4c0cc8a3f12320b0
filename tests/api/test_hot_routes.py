"""The short way and the framework's own answer alike."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from starlette.types import ASGIApp

from serve_app import asgi
from serve_app.api.hot_routes import HotRoute, HotRoutes
from serve_app.asgi import HOT
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.world import World

NOW = datetime(2026, 5, 1, 12, 30, 15, 123456, tzinfo=UTC)
MakeApp = Callable[[bool], ASGIApp]
JSON = "application/json"
STORE, SEARCH = "/v1/memories", "/v1/memories/search"
WHOSE = {"agent_id": "a", "user_id": "u"}
REQUESTS = [
    (STORE, {**WHOSE, "content": "Ünïcode ☕"}),
    (STORE, {**WHOSE, "content": "x", "importance": 0.3, "memory_type": "semantic"}),
    (STORE, {**WHOSE, "content": "x", "occurred_at": "2020-01-01T00:00:00+02:00"}),
    (STORE, {**WHOSE, "content": ""}),
    (STORE, {**WHOSE, "content": "x", "importance": 3}),
    (STORE, {"content": 1}),
    (STORE, {}),
    (SEARCH, {**WHOSE, "query": "x", "explain": True}),
    (SEARCH, {**WHOSE, "query": "x", "top_k": 1, "alpha": 0, "unknown": 1}),
    (SEARCH, {**WHOSE, "query": "x", "top_k": "1"}),
    (SEARCH, {**WHOSE, "query": "nul\x00"}),
    (SEARCH, {**WHOSE, "query": "x" * 2001}),
]


@pytest.fixture
def make_app(monkeypatch: pytest.MonkeyPatch) -> MakeApp:
    def make(hot: bool) -> ASGIApp:
        world = World(NOW)
        monkeypatch.setattr(asgi, "HOT", HOT if hot else ())
        return asgi.create_asgi_app(world.service, Settings(), PrometheusMeter(), world.meter)

    return make


async def ask(app: ASGIApp, path: str, raw: bytes, content_type: str = JSON) -> httpx.Response:
    """The answer of a world in which ids and times are always the same."""
    headers = {"content-type": content_type, "x-request-id": "the-same"}
    async with open_client(app) as client:
        await client.post(STORE, json={**WHOSE, "content": "seeded"})
        return await client.post(path, content=raw, headers=headers)


@pytest.mark.parametrize(("path", "body"), REQUESTS)
async def test_both_ways_answer_alike(make_app: MakeApp, path: str, body: dict[str, object]):
    raw = json.dumps(body).encode()
    hot, other = [await ask(make_app(way), path, raw) for way in (True, False)]
    assert (hot.status_code, hot.headers, hot.content) == (
        other.status_code,
        other.headers,
        other.content,
    )


@pytest.mark.parametrize("path", [STORE, SEARCH, STORE + "?q=%ff", SEARCH + "?q=%ff"])
@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (b"{}", "text/plain"),
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b'{"a": NaN}', "application/json"),
        (b'{"a": 1, "a": 2}', "application/json"),
        (b'{"a": "' + b"x" * 300_000 + b'"}', "application/json"),
        (b'{"a": "\xff"}', "application/json"),
    ],
)
async def test_both_ways_refuse_alike(make_app: MakeApp, path: str, raw: bytes, content_type: str):
    hot, other = [await ask(make_app(way), path, raw, content_type) for way in (True, False)]
    assert (hot.status_code, hot.headers, hot.content) == (
        other.status_code,
        other.headers,
        other.content,
    )
    assert hot.status_code in (400, 413, 415, 422)


async def test_other_methods_go_the_frameworks_way(make_app: MakeApp):
    async with open_client(make_app(True)) as client:
        assert (await client.put(SEARCH)).headers["allow"] == "POST"
        assert (await client.get(STORE, params=WHOSE)).status_code == 200


def test_the_hot_routes_are_there(monkeypatch: pytest.MonkeyPatch, world: World):
    answered: list[HotRoute] = []
    monkeypatch.setattr(HotRoutes, "__init__", lambda self, app, routes: answered.extend(routes))
    asgi.create_asgi_app(world.service, Settings(), PrometheusMeter(), world.meter)
    assert {hot.route.path for hot in answered} == {STORE, SEARCH}
