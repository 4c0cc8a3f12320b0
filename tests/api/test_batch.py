from typing import Any

import httpx
import pytest

from tests.fakes.world import World

SCOPE = {"agent_id": "agent", "user_id": "user"}


def item(content: Any, **fields: Any) -> dict[str, Any]:
    return {**SCOPE, "content": content, **fields}


async def send(client: httpx.AsyncClient, *items: Any) -> dict[str, Any]:
    response = await client.post("/v1/memories/batch", json={"memories": items})
    assert response.status_code == 200, response.text
    return response.json()


async def test_outcomes_stand_in_the_order_of_the_request(client: httpx.AsyncClient, world: World):
    world.embedder.refused.add("third")
    answer = await send(client, item("first"), item(""), item("third"), 4, item("fifth"))
    assert [outcome["status"] for outcome in answer["results"]] == [201, 422, 503, 422, 201]
    assert [outcome["memory"]["content"] for outcome in answer["results"][::4]] == [
        "first",
        "fifth",
    ]
    assert (answer["created"], answer["failed"]) == (2, 3)
    assert len(world.memories.rows) == 2


async def test_a_failure_is_a_problem_of_its_own(client: httpx.AsyncClient):
    [outcome] = (await send(client, item("")))["results"]
    assert list(outcome) == ["status", "error"]
    assert outcome["error"]["code"] == "invalid_input"
    assert outcome["error"]["errors"][0]["field"] == "content"


async def test_a_success_is_a_memory_and_nothing_else(client: httpx.AsyncClient):
    [outcome] = (await send(client, item("tea", importance=2)))["results"]
    assert list(outcome) == ["status", "memory"]
    assert outcome["memory"]["importance"] == 2.0


async def test_an_unknown_field_is_refused(client: httpx.AsyncClient):
    [outcome] = (await send(client, item("tea", flavour="green")))["results"]
    assert outcome["error"]["errors"][0]["code"] == "unknown_field"


async def test_a_thousand_are_taken_and_one_more_is_refused(
    client: httpx.AsyncClient, world: World
):
    assert (await send(client, *[item("tea")] * 1000))["created"] == 1000
    response = await client.post("/v1/memories/batch", json={"memories": [item("tea")] * 1001})
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "too_long"
    assert len(world.memories.rows) == 1000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing"),
        ({"memories": []}, "too_short"),
        ({"memories": {}}, "wrong_type"),
        ({"memories": [{}], "atomic": True}, "unknown_field"),
    ],
)
async def test_a_wrong_envelope_is_refused_as_a_whole(
    client: httpx.AsyncClient, body: dict[str, Any], code: str
):
    response = await client.post("/v1/memories/batch", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == code


async def test_a_batch_of_nothing_but_faults_stores_nothing(
    client: httpx.AsyncClient, world: World
):
    assert (await send(client, {}, []))["failed"] == 2
    assert world.embedder.embedded == []


async def test_a_database_that_is_away_fails_the_whole(client: httpx.AsyncClient, world: World):
    world.memories.down = True
    response = await client.post("/v1/memories/batch", json={"memories": [item("tea")]})
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")


async def test_an_unknown_field_is_told_with_the_nearest_one(client: httpx.AsyncClient):
    answer = await send(client, item("c", importence=1), item("c", zzz=1))
    messages = [outcome["error"]["errors"][0]["message"] for outcome in answer["results"]]
    assert messages == [
        "There is no such field here; did you mean importance?",
        "There is no such field here",
    ]
