"""Rerank: let a model read the question and the first hits together, while time lasts.

A search never fails for it: what cannot be reranked keeps its first ranking, and is told why.
"""

import asyncio
from dataclasses import replace

from serve_app.core.errors import DeadlineExceeded, Unavailable
from serve_app.core.ranking import Hit
from serve_app.core.reranking import Reranked, RerankQuestion, Skipped, reorder
from serve_app.core.search import SearchQuery
from serve_app.operations.ports import Ports, Reranker
from serve_app.operations.search import add_context, find


async def search_reranked(ports: Ports, query: SearchQuery) -> Reranked:
    """The best top_k by the reranker among the first hits, or else as `search` would give them."""
    reranker = ports.reranker
    if reranker is None:
        found = Reranked(await find(ports, query), None, "not_configured")
    else:
        wider = replace(query, top_k=max(query.top_k, reranker.candidates))
        found = await _rerank(reranker, query, await find(ports, wider))
    ports.meter.count("searches_reranked", outcome=found.skipped or "done")
    return replace(found, hits=await add_context(ports, query, found.hits))


async def _rerank(reranker: Reranker, query: SearchQuery, hits: list[Hit]) -> Reranked:
    """Bring the hits in the reranker's order, if it gives one in time."""
    if not hits:
        return Reranked([], [])
    skipped: Skipped
    texts = tuple(hit.memory.content[slice(*hit.span)] for hit in hits)
    question = RerankQuestion(query.text, texts, reranker.seconds)
    try:
        async with asyncio.timeout(reranker.seconds):
            scores = await reranker.score(question, query.scope.tenant_id)
        return reorder(hits, scores, query.top_k)
    except (TimeoutError, DeadlineExceeded):
        skipped = "deadline"
    except Unavailable:
        skipped = "unavailable"
    return Reranked(hits[: query.top_k], None, skipped)
