"""Reranking over HTTP: off unless asked for, told when it was, and never a failure."""

from typing import Any

import httpx
import pytest

from serve_app.asgi import create_asgi_app
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.reranker import FakeReranker
from tests.fakes.world import World

MEMEX = ["results", "query", "total"]


async def search(reranker: FakeReranker | None, **fields: Any) -> dict[str, Any]:
    world = World(reranker=reranker)
    for content in ("order 4000", "tea", "rain"):
        await world.remember(content)
    body = {"agent_id": "agent", "user_id": "user", "query": "order 4000", "alpha": 0.0} | fields
    app = create_asgi_app(world.service, Settings(), PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        response = await client.post("/v1/memories/search", json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def test_nothing_changes_unless_it_is_asked_for() -> None:
    reranker = FakeReranker()
    for fields in ({}, {"rerank": False}):
        answer = await search(reranker, **fields)
        assert list(answer) == MEMEX
        assert answer["results"][0]["content"] == "rain"
        assert "rerank_score" not in answer["results"][0]
    assert reranker.asked == []


async def test_the_answer_says_that_it_was_reranked() -> None:
    answer = await search(FakeReranker(), rerank=True, top_k=1, explain=True)
    assert list(answer) == [*MEMEX, "reranked"]
    assert answer["reranked"] is True
    [hit] = answer["results"]
    assert (hit["content"], hit["rerank_score"]) == ("order 4000", 2.0)
    # The score stays that of the first ranking, with all its signals.
    assert hit["explanation"]["signals"]["recency"]["weighted"] == pytest.approx(
        hit["score"], abs=1e-4
    )


async def test_the_answer_says_why_it_was_not() -> None:
    down = FakeReranker()
    down.down = True
    for reranker, reason in ((None, "not_configured"), (down, "unavailable")):
        answer = await search(reranker, rerank=True)
        assert list(answer) == [*MEMEX, "reranked", "rerank_skipped"]
        assert (answer["reranked"], answer["rerank_skipped"]) == (False, reason)
        assert [hit["content"] for hit in answer["results"]] == ["rain", "tea", "order 4000"]
        assert "rerank_score" not in answer["results"][0]


async def test_rerank_is_true_or_false(client: httpx.AsyncClient) -> None:
    body = {"agent_id": "agent", "user_id": "user", "query": "order", "rerank": "yes"}
    assert (await client.post("/v1/memories/search", json=body)).status_code == 422
