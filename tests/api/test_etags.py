"""Entity tags on reading, changing and forgetting a memory."""

import httpx
import pytest

from serve_app.api.etags import is_known, read_expected, write_etag
from serve_app.core.memory import Memory
from tests.fakes.world import World


@pytest.fixture
async def memory(world: World) -> Memory:
    return await world.remember("tea")


def test_a_tag_names_its_own_version_only(world: World, memory: Memory):
    tag = write_etag(memory)
    assert tag == f'"{memory.id.hex}.1"'
    assert read_expected(tag, memory.id) == {1}
    assert read_expected(tag, world.new_id()) == frozenset()


def test_a_list_names_many_and_a_star_any(memory: Memory):
    tags = f'"x", "{memory.id.hex}.3","{memory.id.hex}.12" , W/"{memory.id.hex}.4"'
    assert read_expected(tags, memory.id) == {3, 12}
    assert read_expected(" * ", memory.id) is None
    assert read_expected(None, memory.id) is None


@pytest.mark.parametrize("version", ["0", "01", "-1", "1234567890", "", "1.0", "x", "٣"])
def test_what_we_never_wrote_names_nothing(memory: Memory, version: str):
    assert read_expected(f'"{memory.id.hex}.{version}"', memory.id) == frozenset()


def test_who_has_it_already_may_say_so_weakly(memory: Memory):
    assert is_known(f"W/{write_etag(memory)}", memory)
    assert is_known("*", memory)
    assert not is_known(f'"{memory.id.hex}.2"', memory)
    assert not is_known(None, memory)


async def test_one_memory_is_answered_with_its_tag(client: httpx.AsyncClient):
    body = {"agent_id": "agent", "user_id": "user", "content": "tea"}
    created = await client.post("/v1/memories", json=body)
    path = f"/v1/memories/{created.json()['id']}"
    read = await client.get(path)
    assert read.headers["etag"] == created.headers["etag"]
    changed = await client.patch(path, json={"importance": 2})
    assert changed.headers["etag"] != created.headers["etag"]
    assert (await client.get(path)).headers["etag"] == changed.headers["etag"]


async def test_who_has_it_already_gets_no_body(client: httpx.AsyncClient, memory: Memory):
    path, tag = f"/v1/memories/{memory.id}", write_etag(memory)
    answer = await client.get(path, headers={"if-none-match": tag})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    await client.patch(path, json={"importance": 2})
    answer = await client.get(path, headers={"if-none-match": tag})
    assert answer.status_code == 200
    assert answer.headers["etag"] != tag


async def test_another_agents_memory_is_not_even_known(client: httpx.AsyncClient, memory: Memory):
    answer = await client.get(
        f"/v1/memories/{memory.id}?agent_id=other", headers={"if-none-match": write_etag(memory)}
    )
    assert answer.status_code == 404


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_another_version_is_not_changed(
    client: httpx.AsyncClient, world: World, memory: Memory, method: str
):
    path, tag = f"/v1/memories/{memory.id}", write_etag(memory)
    change = {"json": {"importance": 2}} if method == "PATCH" else {"params": {"agent_id": "agent"}}
    now = world.memories.change(memory.id, content="coffee")
    answer = await client.request(method, path, headers={"if-match": tag}, **change)
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert world.memories.rows[memory.id].memory == now
    answer = await client.request(method, path, headers={"if-match": write_etag(now)}, **change)
    assert answer.is_success


async def test_a_star_changes_any_version(client: httpx.AsyncClient, memory: Memory):
    path = f"/v1/memories/{memory.id}"
    answer = await client.patch(path, json={"importance": 2}, headers={"if-match": "*"})
    assert answer.status_code == 200


async def test_a_change_that_loses_a_race_is_412_with_a_condition(
    client: httpx.AsyncClient, world: World, memory: Memory
):
    async def change_meanwhile() -> None:
        world.memories.change(memory.id, content="milk")

    world.embedder.interrupt = change_meanwhile
    headers = {"if-match": write_etag(memory)}
    path = f"/v1/memories/{memory.id}"
    answer = await client.patch(path, json={"content": "coffee"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
