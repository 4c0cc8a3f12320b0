"""What a memory is and was, over HTTP."""

from uuid import UUID

import httpx

from tests.fakes.world import World


async def test_versions_come_newest_first_in_memexs_words(client: httpx.AsyncClient, world: World):
    memory = await world.remember("tea", importance=0.75)
    path = f"/v1/memories/{memory.id}"
    await client.patch(path, json={"content": "coffee"})
    answer = await client.get(f"{path}/versions")
    assert answer.status_code == 200
    now, then = answer.json()["results"]
    assert answer.json()["next_cursor"] is None
    assert then == {
        "version": 1,
        "content": "tea",
        "importance": 1.5,
        "memory_type": "episodic",
        "occurred_at": "2026-01-01T00:00:00Z",
        "status": "active",
        "superseded_by": None,
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_to": "2026-01-01T00:00:01Z",
    }
    assert (now["version"], now["content"]) == (2, "coffee")
    assert (now["valid_from"], now["valid_to"]) == (then["valid_to"], None)


async def test_a_long_life_is_walked_in_pages(client: httpx.AsyncClient, world: World):
    memory = await world.remember("tea")
    for _ in range(4):
        world.memories.change(memory.id, importance=0.1)
    walked: list[int] = []
    cursor: int | None = None
    while True:
        params = {"limit": 2} | ({} if cursor is None else {"cursor": cursor})
        page = (await client.get(f"/v1/memories/{memory.id}/versions", params=params)).json()
        walked += [version["version"] for version in page["results"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert walked == [5, 4, 3, 2, 1]


async def test_an_unknown_memory_has_none(client: httpx.AsyncClient, world: World):
    memory = await world.remember("tea")
    unknown = f"{UUID(int=1)}/versions"
    for path in (unknown, unknown + "?cursor=1", f"{memory.id}/versions?agent_id=other"):
        answer = await client.get(f"/v1/memories/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "memory_not_found")
    own = await client.get(f"/v1/memories/{memory.id}/versions?agent_id=agent")
    assert own.status_code == 200


async def test_a_cursor_that_is_none_is_refused(client: httpx.AsyncClient, world: World):
    memory = await world.remember("tea")
    for cursor in ("0", str(2**31), "x"):
        answer = await client.get(f"/v1/memories/{memory.id}/versions?cursor={cursor}")
        assert answer.status_code == 422
