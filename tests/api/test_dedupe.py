"""`dedupe: true` over HTTP."""

from typing import Any

import httpx
import pytest

from tests.fakes.world import World

WHOSE = {"agent_id": "agent", "user_id": "user"}
TEA = {**WHOSE, "content": "tea"}
ONCE = TEA | {"dedupe": True}
KEY = {"idempotency-key": "7f3c"}


async def post(client: httpx.AsyncClient, *bodies: dict[str, Any], **others: Any) -> httpx.Response:
    """One memory, or a batch of several."""
    if len(bodies) == 1:
        return await client.post("/v1/memories", json=bodies[0], **others)
    return await client.post("/v1/memories/batch", json={"memories": bodies}, **others)


async def test_the_first_is_201_and_the_next_200_with_the_same_memory(
    client: httpx.AsyncClient, world: World
):
    first = await post(client, ONCE)
    world.advance(hours=1)
    again = await post(client, ONCE | {"importance": 2, "session_id": "other"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert "idempotency-replayed" not in again.headers
    assert len(world.memories.rows) == 1
    assert world.meter.total("memory_operations", operation="create") == 1


async def test_what_was_stored_without_it_counts(client: httpx.AsyncClient):
    first = await post(client, TEA)
    again = await post(client, ONCE)
    assert (again.status_code, again.content) == (200, first.content)


@pytest.mark.parametrize("asked", [{}, {"dedupe": False}])
async def test_without_it_each_is_stored(
    client: httpx.AsyncClient, world: World, asked: dict[str, Any]
):
    for _ in range(2):
        assert (await post(client, TEA | asked)).status_code == 201
    assert len(world.memories.rows) == 2


@pytest.mark.parametrize(
    "other", [{"agent_id": "other"}, {"user_id": "other"}, {"memory_type": "semantic"}]
)
async def test_another_scope_or_type_is_another(client: httpx.AsyncClient, other: dict[str, Any]):
    await post(client, ONCE)
    assert (await post(client, ONCE | other)).status_code == 201


async def test_a_changed_memory_stands_for_what_it_says_now(client: httpx.AsyncClient):
    first = (await post(client, ONCE)).json()
    await client.patch(f"/v1/memories/{first['id']}", json={"content": "coffee"})
    found = await post(client, ONCE | {"content": "coffee"})
    assert (found.status_code, found.json()["id"]) == (200, first["id"])
    assert (await post(client, ONCE)).status_code == 201


async def test_a_batch_tells_which_were_there(client: httpx.AsyncClient):
    tea = (await post(client, TEA)).json()
    rows = [ONCE, ONCE | {"content": "rain"}, ONCE | {"content": "rain"}, TEA, {"dedupe": True}]
    answer = (await post(client, *rows)).json()
    assert [outcome["status"] for outcome in answer["results"]] == [200, 201, 200, 201, 422]
    assert answer["results"][0]["memory"] == tea
    assert answer["results"][2]["memory"] == answer["results"][1]["memory"]
    assert (answer["created"], answer["failed"], answer["deduplicated"]) == (2, 1, 2)


async def test_a_batch_of_new_ones_is_told_as_ever(client: httpx.AsyncClient):
    answer = (await post(client, ONCE, TEA)).json()
    assert list(answer) == ["results", "created", "failed"]


async def test_under_a_key_the_same_answer_comes_again(client: httpx.AsyncClient, world: World):
    first = await post(client, TEA)
    for replayed in (None, "true"):
        found = await post(client, ONCE, headers=KEY)
        assert (found.status_code, found.content) == (200, first.content)
        assert found.headers.get("idempotency-replayed") == replayed
    await client.delete(f"/v1/memories/{first.json()['id']}", params={"agent_id": "agent"})
    assert (await post(client, ONCE, headers=KEY)).json()["code"] == "answer_forgotten"
    assert world.memories.rows == {}


async def test_under_a_key_a_batch_comes_again(client: httpx.AsyncClient, world: World):
    await post(client, TEA)
    rows = [ONCE, ONCE | {"content": "rain"}]
    first = await post(client, *rows, headers=KEY)
    again = await post(client, *rows, headers=KEY)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert len(world.memories.rows) == 2


@pytest.mark.parametrize("value", [None, 1, "true", []])
async def test_it_is_true_or_false(client: httpx.AsyncClient, value: Any):
    answer = await post(client, TEA | {"dedupe": value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "dedupe"
