from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from serve_app.asgi import create_asgi_app
from serve_app.core.memory import Kind, Scope, Status
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.world import World

SCOPE = {"agent_id": "agent", "user_id": "user"}
JSON = {"content-type": "application/json"}


async def search(client: httpx.AsyncClient, **fields: Any) -> list[dict[str, Any]]:
    body = {**SCOPE, "query": "green tea", **fields}
    response = await client.post("/v1/memories/search", json=body)
    assert response.status_code == 200, response.text
    return response.json()["results"]


def faults(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {fault["field"]: fault["code"] for fault in response.json()["errors"]}


async def test_importance_is_halved_on_the_way_in(client: httpx.AsyncClient, world: World):
    body = {**SCOPE, "content": "tea", "importance": 1.2}
    created = (await client.post("/v1/memories", json=body)).json()
    [row] = world.memories.rows.values()
    assert (row.memory.importance, created["importance"]) == (0.6, 1.2)


async def test_our_fields_follow_those_of_memex(client: httpx.AsyncClient):
    created = (await client.post("/v1/memories", json={**SCOPE, "content": "tea"})).json()
    ours = ["occurred_at", "updated_at", "status", "sources", "superseded_by"]
    assert list(created)[8:] == ours
    assert (created["status"], created["sources"], created["superseded_by"]) == ("active", [], None)


async def test_a_memory_may_have_happened_before_it_is_stored(client: httpx.AsyncClient):
    body = {**SCOPE, "content": "tea", "occurred_at": "2020-02-02T02:00:00+02:00"}
    created = (await client.post("/v1/memories", json=body)).json()
    assert created["occurred_at"] == "2020-02-02T00:00:00Z"
    assert created["created_at"] == "2026-01-01T00:00:00Z"


async def test_a_time_without_a_zone_is_refused(client: httpx.AsyncClient):
    body = {**SCOPE, "content": "tea", "occurred_at": "2020-02-02T02:00:00"}
    response = await client.post("/v1/memories", json=body)
    assert faults(response) == {"occurred_at": "no_time_zone"}
    assert "add a time zone" in response.json()["detail"]


async def test_a_lone_surrogate_and_nul_are_refused(client: httpx.AsyncClient):
    for text in (rb"\ud800", rb"\u0000"):
        raw = b'{"agent_id": "a", "user_id": "u", "content": "' + text + b'"}'
        response = await client.post("/v1/memories", content=raw, headers=JSON)
        assert faults(response) == {"content": "unstorable_text"}


async def test_an_infinite_number_is_refused(client: httpx.AsyncClient):
    raw = b'{"agent_id": "a", "user_id": "u", "content": "c", "importance": 1e999}'
    response = await client.post("/v1/memories", content=raw, headers=JSON)
    assert faults(response) == {"importance": "not_finite"}


async def test_every_wrong_field_is_named_and_no_value_is_repeated(client: httpx.AsyncClient):
    body = {"agent_id": 7, "content": "", "memory_type": "secret"}
    response = await client.post("/v1/memories", json=body)
    assert faults(response) == {
        "agent_id": "wrong_type",
        "user_id": "missing",
        "content": "too_short",
        "memory_type": "not_a_choice",
    }
    assert response.json()["field"] == "agent_id"
    assert "secret" not in response.text


async def test_defaults_of_a_search_come_from_the_settings(world: World):
    settings = Settings(default_top_k=2, default_alpha=0.0)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    for content in ("green tea", "rain", "snow"):
        await world.remember(content)
    async with open_client(app) as client:
        results = await search(client)
    assert [hit["content"] for hit in results] == ["snow", "rain"]


async def test_what_is_sent_outranks_the_settings(world: World):
    settings = Settings(default_top_k=1, default_alpha=0.0)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    for content in ("green tea", "rain", "snow"):
        await world.remember(content)
    async with open_client(app) as client:
        results = await search(client, top_k=10, alpha=0.7)
    assert len(results) == 3
    assert results[0]["content"] == "green tea"


async def test_an_explained_score_is_the_sum_of_its_parts(client: httpx.AsyncClient, world: World):
    await world.remember("black tea", importance=0.8)
    world.advance(days=30)
    [hit] = await search(client, explain=True, importance_weight=0.25, alpha=0.5)
    told = hit["explanation"]
    assert told["weights"] == {"similarity": 0.5, "recency": 0.5, "importance": 0.25}
    assert told["recency"] == pytest.approx(0.5, abs=1e-3)
    assert (told["importance"], told["half_life_days"], told["span"]) == (0.8, 30.0, [0, 9])
    total = sum(told[signal] * weight for signal, weight in told["weights"].items())
    assert hit["score"] == round(total, 4)


async def test_nothing_is_explained_unasked(client: httpx.AsyncClient, world: World):
    await world.remember("green tea")
    [hit] = await search(client)
    assert "explanation" not in hit


async def test_importance_weighs_when_asked(client: httpx.AsyncClient, world: World):
    await world.remember("green tea", importance=1.0)
    await world.remember("green tea now", importance=0.0)
    [plain, *_] = await search(client, alpha=0.0)
    [weighed, *_] = await search(client, alpha=0.0, importance_weight=1.0)
    assert (plain["content"], weighed["content"]) == ("green tea now", "green tea")


async def test_a_search_ranks_as_of_a_moment(client: httpx.AsyncClient, world: World):
    await world.remember("green tea")
    then = (world.now + timedelta(days=60)).isoformat()
    [hit] = await search(client, as_of=then, explain=True)
    assert hit["explanation"]["recency"] == pytest.approx(0.25, abs=1e-3)


async def test_one_memory_is_read(client: httpx.AsyncClient, world: World):
    memory = await world.remember("green tea", kind=Kind.SEMANTIC)
    response = await client.get(f"/v1/memories/{memory.id}")
    assert response.status_code == 200
    assert (response.json()["content"], response.json()["score"]) == ("green tea", None)


async def test_one_memory_is_read_as_its_agent(client: httpx.AsyncClient, world: World):
    memory = await world.remember("green tea")
    path = f"/v1/memories/{memory.id}"
    assert (await client.get(path, params={"agent_id": "agent"})).status_code == 200
    assert (await client.get(path, params={"agent_id": "other"})).status_code == 404


async def test_an_unknown_memory_is_404(client: httpx.AsyncClient):
    response = await client.get(f"/v1/memories/{uuid4()}")
    assert (response.status_code, response.json()["code"]) == (404, "memory_not_found")


async def test_what_is_no_id_is_422(client: httpx.AsyncClient):
    assert faults(await client.get("/v1/memories/seven")) == {"memory_id": "not_a_uuid"}


async def test_pages_walk_through_all_newest_first(client: httpx.AsyncClient, world: World):
    written = [str((await world.remember(f"fact {n}")).id) for n in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/memories", params=params)).json()
        seen += [memory["id"] for memory in page["results"]]
        cursor = page["next_cursor"]
    assert seen == written[::-1]
    assert cursor is None


async def test_a_page_has_fifty_by_default(client: httpx.AsyncClient, world: World):
    for n in range(51):
        await world.remember(f"fact {n}")
    page = (await client.get("/v1/memories")).json()
    assert len(page["results"]) == 50
    assert page["next_cursor"]


@pytest.mark.parametrize(
    ("params", "contents"),
    [
        ({"agent_id": "other"}, ["theirs"]),
        ({"user_id": "other"}, ["theirs"]),
        ({"memory_type": "semantic"}, ["late"]),
        ({"status": "archived"}, ["old"]),
        ({"status": "all"}, ["late", "old", "theirs"]),
        ({"occurred_from": "2026-01-01T00:00:02Z"}, ["late"]),
        ({"occurred_before": "2026-01-01T00:00:02Z"}, ["theirs"]),
        ({}, ["late", "theirs"]),
    ],
)
async def test_a_listing_is_filtered(
    client: httpx.AsyncClient, world: World, params: dict[str, str], contents: list[str]
):
    await world.remember("theirs", Scope(1, "other", "other"))
    old = await world.remember("old")
    world.memories.change(old.id, status=Status.ARCHIVED)
    await world.remember("late", kind=Kind.SEMANTIC)
    page = (await client.get("/v1/memories", params=params)).json()
    assert [memory["content"] for memory in page["results"]] == contents


@pytest.mark.parametrize(
    ("params", "wrong"),
    [
        ({"limit": "0"}, {"limit": "too_small"}),
        ({"limit": "201"}, {"limit": "too_large"}),
        ({"limit": "many"}, {"limit": "wrong_type"}),
        ({"cursor": "x"}, {"cursor": "not_a_cursor"}),
        ({"status": "gone"}, {"status": "not_a_choice"}),
        ({"occurred_from": "2026-01-01T00:00:00"}, {"occurred_from": "no_time_zone"}),
        ({"agent": "a"}, {"agent": "unknown_field"}),
        ({"agent_id": "\x00"}, {"agent_id": "unstorable_text"}),
    ],
)
async def test_a_wrong_listing_is_refused(
    client: httpx.AsyncClient, params: dict[str, str], wrong: dict[str, str]
):
    assert faults(await client.get("/v1/memories", params=params)) == wrong


async def test_a_memory_is_changed(client: httpx.AsyncClient, world: World):
    memory = await world.remember("tea")
    change = {
        "content": "coffee",
        "importance": 2.0,
        "memory_type": "semantic",
        "occurred_at": "2025-01-01T00:00:00Z",
        "status": "archived",
    }
    response = await client.patch(f"/v1/memories/{memory.id}", json=change)
    assert response.status_code == 200
    assert {name: response.json()[name] for name in change} == change
    stored = world.memories.rows[memory.id].memory
    assert (stored.content, stored.importance, stored.kind) == ("coffee", 1.0, Kind.SEMANTIC)
    assert stored.occurred_at == datetime(2025, 1, 1, tzinfo=UTC)


async def test_what_is_not_named_stays(client: httpx.AsyncClient, world: World):
    memory = await world.remember("tea", importance=0.75)
    changed = (await client.patch(f"/v1/memories/{memory.id}", json={"importance": 0})).json()
    assert (changed["content"], changed["importance"]) == ("tea", 0.0)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, {"body": "no_change"}),
        ({"content": None}, {"content": "null"}),
        ({"occurred_at": None}, {"occurred_at": "null"}),
        ({"status": "superseded"}, {"status": "not_a_choice"}),
        ({"agent_id": "other"}, {"agent_id": "unknown_field"}),
        ({"content": ""}, {"content": "too_short"}),
        ({"importance": 2.5}, {"importance": "too_large"}),
    ],
)
async def test_a_wrong_change_is_refused(
    client: httpx.AsyncClient, world: World, change: dict[str, Any], wrong: dict[str, str]
):
    memory = await world.remember("tea")
    assert faults(await client.patch(f"/v1/memories/{memory.id}", json=change)) == wrong
    assert world.memories.rows[memory.id].memory == memory


async def test_a_change_that_loses_a_race_is_409(client: httpx.AsyncClient, world: World):
    memory = await world.remember("tea")

    async def change_meanwhile() -> None:
        world.memories.change(memory.id, content="milk")

    world.embedder.interrupt = change_meanwhile
    response = await client.patch(f"/v1/memories/{memory.id}", json={"content": "coffee"})
    assert (response.status_code, response.json()["code"]) == (409, "conflict")


async def test_a_database_that_is_away_is_503(client: httpx.AsyncClient, world: World):
    world.memories.down = True
    response = await client.post("/v1/memories", json={**SCOPE, "content": "tea"})
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert response.headers["retry-after"] == "1"


async def test_an_embedder_that_is_away_is_503_and_nothing_is_stored(
    client: httpx.AsyncClient, world: World
):
    world.embedder.down = True
    response = await client.post("/v1/memories", json={**SCOPE, "content": "tea"})
    assert (response.status_code, response.json()["code"]) == (503, "embedding_unavailable")
    assert world.memories.rows == {}
