"""Defaults of agents and tenants over HTTP, and the searches that follow them."""

import asyncio
from typing import Any

import httpx
import pytest

from serve_app.core.principal import MEMORY_READ, MEMORY_WRITE, TENANT_ADMIN
from tests.api.keyed import WHOSE, Keyed

PATH = "/v1/ranking-defaults"
LANGUAGE = "/v1/scope-language"
ALL = (MEMORY_READ, MEMORY_WRITE, TENANT_ADMIN)


@pytest.fixture
def keyed() -> Keyed:
    return Keyed()


async def put(client: httpx.AsyncClient, **fields: Any) -> None:
    answer = await client.put(PATH, json=fields)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"agent_id": None, "profile": None, "language": None} | fields


async def used(client: httpx.AsyncClient, agent_id: str = "a", **fields: Any) -> str:
    """The profile that ranked a search."""
    body = {**WHOSE, "agent_id": agent_id, "query": "tea", "explain": True, **fields}
    answer = await client.post("/v1/memories/search", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"][0]["explanation"]["profile"]


async def test_a_search_that_names_nothing_takes_the_nearest_default(keyed: Keyed) -> None:
    ours = await keyed.client(*ALL)
    theirs = await keyed.client(*ALL, tenant_id=2)
    for client in (ours, theirs):
        for agent_id in ("a", "b"):
            body = {**WHOSE, "agent_id": agent_id, "content": "tea"}
            assert (await client.post("/v1/memories", json=body)).status_code == 201
    await put(ours, profile="hybrid")
    await put(ours, agent_id="a", profile="conversation", language="german")
    keyed.world.advance(seconds=6)
    assert await used(ours, "a") == "conversation@1"
    assert await used(ours, "a", weights={"words": 0.5}) == "conversation@1"
    assert await used(ours, "b") == "hybrid@1"
    assert await used(theirs, "a") == "decay@1"
    assert await used(ours, "a", profile="blend") == "blend@1"
    for memex in ({"alpha": 0.7}, {"importance_weight": 0.0}):
        assert await used(ours, "a", **memex) == "decay@1"
    assert (await theirs.get(PATH)).json() == {"defaults": []}
    assert (await ours.get(PATH)).json()["defaults"] == [
        {"agent_id": None, "profile": "hybrid", "language": None},
        {"agent_id": "a", "profile": "conversation", "language": "german"},
    ]


async def test_a_default_that_is_deleted_leaves_the_next_wider(keyed: Keyed) -> None:
    admin = await keyed.client(*ALL)
    await admin.post("/v1/memories", json={**WHOSE, "content": "tea"})
    await put(admin, profile="hybrid")
    await put(admin, agent_id="a", profile="blend")
    for address, expected in ((f"{PATH}?agent_id=a", "hybrid@1"), (PATH, "decay@1")):
        for _ in range(2):
            assert (await admin.delete(address)).status_code == 204
        keyed.world.advance(seconds=6)
        await used(admin)  # the read that it begins is seen by the next
        await asyncio.sleep(0)
        assert await used(admin) == expected


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"agent_id": "a"}, "body"),
        ({"profile": "vector"}, "profile"),
        ({"language": "germn"}, "language"),
        ({"agent_id": "", "profile": "decay"}, "agent_id"),
        ({"profile": "decay", "tenant": "x"}, "tenant"),
    ],
)
async def test_what_is_no_default_is_refused(
    keyed: Keyed, body: dict[str, str], field: str
) -> None:
    admin = await keyed.client(TENANT_ADMIN)
    answer = await admin.put(PATH, json=body)
    assert (answer.status_code, answer.json().get("field")) == (422, field)
    assert (await admin.get(PATH)).json() == {"defaults": []}


async def test_a_scope_is_read_in_another_language(keyed: Keyed) -> None:
    ours = await keyed.client(TENANT_ADMIN)
    theirs = await keyed.client(TENANT_ADMIN, tenant_id=2)
    languages = keyed.world.defaults.languages
    languages[1, "a", "u"] = "english"
    body = {"agent_id": "a", "user_id": "u", "language": "german"}
    answer = await theirs.put(LANGUAGE, json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "user_id")
    assert languages == {(1, "a", "u"): "english"}
    answer = await ours.put(LANGUAGE, json=body)
    assert (answer.status_code, answer.json()) == (200, body)
    assert languages == {(1, "a", "u"): "german"}
    answer = await ours.put(LANGUAGE, json=body | {"language": "germn"})
    assert (answer.status_code, answer.json()["field"]) == (422, "language")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", PATH), ("PUT", PATH), ("DELETE", PATH), ("PUT", LANGUAGE)]
)
async def test_only_an_admin_chooses(keyed: Keyed, method: str, path: str) -> None:
    robot = await keyed.client(MEMORY_READ, MEMORY_WRITE)
    answer = await robot.request(method, path, json={"profile": "decay"})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
