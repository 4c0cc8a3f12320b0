"""memex's POST /v1/memories."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx

from tests.contracts.checks import CHECKS, MEMORY_FIELDS, Check, check, new_scope, write


@check
async def create_answers_201_with_memex_fields_in_order(client: httpx.AsyncClient) -> None:
    scope = new_scope()
    memory = await write(client, scope)
    assert list(memory)[: len(MEMORY_FIELDS)] == MEMORY_FIELDS
    assert UUID(memory["id"])
    assert {name: memory[name] for name in scope} == scope
    assert memory["content"] == "a fact"
    assert memory["score"] is None


@check
async def create_defaults_are_importance_1_and_episodic(client: httpx.AsyncClient) -> None:
    memory = await write(client, new_scope())
    assert (memory["importance"], memory["memory_type"]) == (1.0, "episodic")


@check
async def created_at_is_utc_with_z(client: httpx.AsyncClient) -> None:
    created_at = (await write(client, new_scope()))["created_at"]
    assert created_at.endswith("Z")
    assert datetime.fromisoformat(created_at).utcoffset() == timedelta(0)


async def create_accepts(fields: dict[str, Any], client: httpx.AsyncClient) -> None:
    memory = await write(client, new_scope(), **fields)
    known = {name: value for name, value in fields.items() if name in MEMORY_FIELDS}
    assert {name: memory[name] for name in known} == known
    assert not fields.keys() - known.keys() & memory.keys()


async def create_refuses(fields: dict[str, Any], client: httpx.AsyncClient) -> None:
    body = {**new_scope(), "content": "a fact", **fields}
    given = {name: value for name, value in body.items() if value is not None}
    response = await client.post("/v1/memories", json=given)
    assert response.status_code == 422, response.text
    assert response.json()["detail"]


ACCEPTED_WRITES: dict[str, dict[str, Any]] = {
    "agent_id of 1 character": {"agent_id": "a"},
    "agent_id of 128 characters": {"agent_id": "a" * 128},
    "user_id of 1 character": {"user_id": "u"},
    "user_id of 128 characters": {"user_id": "u" * 128},
    "content of 1 character": {"content": "c"},
    "content of 8000 characters": {"content": "word " * 1600},
    "content outside ASCII": {"content": "naïve 記憶 🧠"},
    "importance 0": {"importance": 0.0},
    "importance 1.2": {"importance": 1.2},
    "importance 2": {"importance": 2.0},
    "importance as an integer": {"importance": 1},
    "type episodic": {"memory_type": "episodic"},
    "type semantic": {"memory_type": "semantic"},
    "type procedural": {"memory_type": "procedural"},
    "an unknown field": {"unheard_of": {"nested": [1]}},
}
REFUSED_WRITES: dict[str, dict[str, Any]] = {
    "no agent_id": {"agent_id": None},
    "an empty agent_id": {"agent_id": ""},
    "agent_id of 129 characters": {"agent_id": "a" * 129},
    "no user_id": {"user_id": None},
    "an empty user_id": {"user_id": ""},
    "user_id of 129 characters": {"user_id": "u" * 129},
    "no content": {"content": None},
    "an empty content": {"content": ""},
    "content of 8001 characters": {"content": "c" * 8001},
    "importance below 0": {"importance": -0.01},
    "importance above 2": {"importance": 2.01},
    "importance as a word": {"importance": "high"},
    "an unknown type": {"memory_type": "other"},
}
for name, fields in ACCEPTED_WRITES.items():
    CHECKS.append(Check(f"create accepts {name}", partial(create_accepts, fields)))
for name, fields in REFUSED_WRITES.items():
    CHECKS.append(Check(f"create refuses {name}", partial(create_refuses, fields)))
