"""memex's POST /v1/memories/search."""

from functools import partial
from typing import Any
from uuid import uuid4

import httpx

from tests.contracts.checks import CHECKS, MEMORY_FIELDS, Check, check, find, new_scope, write


@check
async def search_answers_results_query_and_total(client: httpx.AsyncClient) -> None:
    scope = new_scope()
    written = await write(client, scope)
    found = await find(client, scope)
    assert list(found) == ["results", "query", "total"]
    assert (found["query"], found["total"]) == ("a fact", 1)
    [hit] = found["results"]
    assert list(hit)[: len(MEMORY_FIELDS)] == MEMORY_FIELDS
    assert {**hit, "score": None} == written


@check
async def scores_have_four_decimals_and_fall(client: httpx.AsyncClient) -> None:
    scope = new_scope()
    for content in ("a fact", "another thing entirely", "what was a fact once"):
        await write(client, scope, content=content)
    scores = [hit["score"] for hit in (await find(client, scope))["results"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert scores == [round(score, 4) for score in scores]


@check
async def the_same_words_are_the_best_hit(client: httpx.AsyncClient) -> None:
    scope = new_scope()
    for content in ("trains to Lyon", "a fact", "bread and salt"):
        await write(client, scope, content=content)
    assert (await find(client, scope, alpha=1.0))["results"][0]["content"] == "a fact"


@check
async def alpha_0_gives_the_newest_first(client: httpx.AsyncClient) -> None:
    scope = new_scope()
    ids = [(await write(client, scope, content=f"fact {n}"))["id"] for n in range(4)]
    found = [hit["id"] for hit in (await find(client, scope, alpha=0.0))["results"]]
    assert found == ids[::-1]


@check
async def search_gives_ten_by_default_and_top_k_when_asked(client: httpx.AsyncClient) -> None:
    scope = new_scope()
    for n in range(12):
        await write(client, scope, content=f"fact {n}")
    assert (await find(client, scope))["total"] == 10
    assert (await find(client, scope, top_k=1))["total"] == 1
    assert (await find(client, scope, top_k=50))["total"] == 12


@check
async def search_filters_by_type(client: httpx.AsyncClient) -> None:
    scope = new_scope()
    for kind in ("episodic", "semantic", "procedural"):
        await write(client, scope, memory_type=kind)
    found = await find(client, scope, memory_type="semantic")
    assert [hit["memory_type"] for hit in found["results"]] == ["semantic"]
    assert (await find(client, scope, memory_type=None))["total"] == 3


@check
async def search_sees_one_agent_and_one_user_only(client: httpx.AsyncClient) -> None:
    scope = new_scope()
    await write(client, scope)
    assert (await find(client, {**scope, "agent_id": f"agent-{uuid4()}"}))["results"] == []
    assert (await find(client, {**scope, "user_id": "user-2"}))["total"] == 0


async def search_accepts(fields: dict[str, Any], client: httpx.AsyncClient) -> None:
    assert (await find(client, new_scope(), **fields))["total"] == 0


async def search_refuses(fields: dict[str, Any], client: httpx.AsyncClient) -> None:
    body = {**new_scope(), "query": "a fact", **fields}
    given = {name: value for name, value in body.items() if value is not None}
    response = await client.post("/v1/memories/search", json=given)
    assert response.status_code == 422, response.text
    assert response.json()["detail"]


ACCEPTED_SEARCHES: dict[str, dict[str, Any]] = {
    "a query of 1 character": {"query": "q"},
    "a query of 2000 characters": {"query": "word " * 400},
    "alpha 0": {"alpha": 0},
    "alpha 1": {"alpha": 1},
    "an unknown field": {"unheard_of": True},
}
REFUSED_SEARCHES: dict[str, dict[str, Any]] = {
    "no agent_id": {"agent_id": None},
    "agent_id of 129 characters": {"agent_id": "a" * 129},
    "no user_id": {"user_id": None},
    "user_id of 129 characters": {"user_id": "u" * 129},
    "no query": {"query": None},
    "an empty query": {"query": ""},
    "a query of 2001 characters": {"query": "q" * 2001},
    "top_k 0": {"top_k": 0},
    "top_k 51": {"top_k": 51},
    "top_k with a fraction": {"top_k": 1.5},
    "alpha below 0": {"alpha": -0.1},
    "alpha above 1": {"alpha": 1.1},
    "an unknown type": {"memory_type": "other"},
}
for name, fields in ACCEPTED_SEARCHES.items():
    CHECKS.append(Check(f"search accepts {name}", partial(search_accepts, fields)))
for name, fields in REFUSED_SEARCHES.items():
    CHECKS.append(Check(f"search refuses {name}", partial(search_refuses, fields)))
