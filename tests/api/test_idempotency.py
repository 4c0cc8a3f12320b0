"""The header Idempotency-Key over HTTP."""

from typing import Any

import httpx
import pytest

from tests.fakes.world import World

WHOSE = {"agent_id": "agent", "user_id": "user"}
TEA = {**WHOSE, "content": "tea"}
KEY = {"idempotency-key": "7f3c"}


async def test_a_request_sent_again_is_answered_alike(client: httpx.AsyncClient, world: World):
    first = await client.post("/v1/memories", json=TEA, headers=KEY)
    assert "idempotency-replayed" not in first.headers
    world.advance(hours=1)
    again = await client.post("/v1/memories", json=TEA, headers=KEY)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["idempotency-replayed"] == "true"
    assert len(world.memories.rows) == 1


async def test_it_is_answered_as_it_was_though_it_has_changed(client: httpx.AsyncClient):
    first = await client.post("/v1/memories", json=TEA, headers=KEY)
    await client.patch(f"/v1/memories/{first.json()['id']}", json={"content": "coffee"})
    again = await client.post("/v1/memories", json=TEA, headers=KEY)
    assert again.content == first.content


async def test_another_body_path_or_method_is_refused(client: httpx.AsyncClient, world: World):
    first = await client.post("/v1/memories", json=TEA, headers=KEY)
    path = f"/v1/memories/{first.json()['id']}"
    others = [
        ("POST", "/v1/memories", {"json": TEA | {"content": "coffee"}}),
        ("POST", "/v1/memories?x=1", {"content": first.request.content}),
        ("POST", "/v1/memories/batch", {"json": {"memories": [TEA]}}),
        ("PATCH", path, {"json": {"importance": 1}}),
        ("DELETE", path, {"params": {"agent_id": "agent"}}),
    ]
    for method, target, sent in others:
        headers = KEY | {"content-type": "application/json"}
        answer = await client.request(method, target, headers=headers, **sent)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert [row.memory.content for row in world.memories.rows.values()] == ["tea"]


@pytest.mark.parametrize(
    "headers",
    [
        [("idempotency-key", "")],
        [("idempotency-key", "x" * 256)],
        [("idempotency-key", "a\tb")],
        [("idempotency-key", b"\xc3\xa4")],
        [("idempotency-key", "a"), ("idempotency-key", "a")],
    ],
)
async def test_what_is_no_key_is_refused(
    client: httpx.AsyncClient, world: World, headers: list[tuple[str, Any]]
):
    for body in (TEA, {}):
        answer = await client.post("/v1/memories", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    answer = await client.post("/v1/memories/batch", json={"memories": [TEA]}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert world.memories.rows == {}


async def test_the_longest_key_is_one(client: httpx.AsyncClient):
    headers = {"idempotency-key": "~" * 255}
    assert (await client.post("/v1/memories", json=TEA, headers=headers)).status_code == 201


async def test_while_it_runs_it_is_409_with_a_time_to_come_again(
    client: httpx.AsyncClient, world: World
):
    world.once.running.add("7f3c")
    answer = await client.post("/v1/memories", json=TEA, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_in_use")
    assert answer.headers["retry-after"] == "1"


async def test_a_failure_is_not_kept(client: httpx.AsyncClient, world: World):
    world.embedder.down = True
    assert (await client.post("/v1/memories", json=TEA, headers=KEY)).status_code == 503
    world.embedder.down = False
    answer = await client.post("/v1/memories", json=TEA, headers=KEY)
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers


async def test_what_was_forgotten_is_410(client: httpx.AsyncClient):
    first = await client.post("/v1/memories", json=TEA, headers=KEY)
    await client.delete(f"/v1/memories/{first.json()['id']}", params={"agent_id": "agent"})
    answer = await client.post("/v1/memories", json=TEA, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (410, "answer_forgotten")


async def test_a_batch_is_answered_alike(client: httpx.AsyncClient, world: World):
    body = {"memories": [TEA, {}, {**TEA, "content": "milk"}]}
    headers = KEY | {"x-request-id": "the-same"}
    first = await client.post("/v1/memories/batch", json=body, headers=headers)
    again = await client.post("/v1/memories/batch", json=body, headers=headers)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(world.memories.rows) == 2


async def test_a_change_and_a_deletion_are_made_once(client: httpx.AsyncClient, world: World):
    memory = await world.remember("tea")
    path = f"/v1/memories/{memory.id}"
    patches = [await client.patch(path, json={"importance": 2}, headers=KEY) for _ in range(2)]
    assert patches[0].content == patches[1].content
    assert [p.headers.get("idempotency-replayed") for p in patches] == [None, "true"]
    headers = {"idempotency-key": "other"}
    params = {"agent_id": "agent"}
    gone = [await client.delete(path, params=params, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in gone] == [204, 204]
    assert [g.headers.get("idempotency-replayed") for g in gone] == [None, "true"]


async def test_the_page_tells_of_the_key(client: httpx.AsyncClient):
    paths = (await client.get("/openapi.json")).json()["paths"]
    takes = {
        (method, path)
        for path, operations in paths.items()
        for method, operation in operations.items()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "Idempotency-Key"
    }
    assert takes >= {
        ("post", "/v1/memories"),
        ("post", "/v1/memories/batch"),
        ("patch", "/v1/memories/{memory_id}"),
        ("delete", "/v1/memories/{memory_id}"),
    }
