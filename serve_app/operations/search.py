"""Search: embed the question, fetch candidates, rank them."""

from dataclasses import replace
from datetime import datetime

from serve_app.core.ranking import Hit, rank
from serve_app.core.search import FusedSearch, QuestionTime, SearchQuery, VectorSearch
from serve_app.core.text import require_storable
from serve_app.operations.ports import Ports


async def search(ports: Ports, query: SearchQuery) -> list[Hit]:
    """The best top_k of the scope under the query's profile, best first, with their context.

    Without weights beyond RankingPolicy's it is the true top_k, else the best of a pool.
    """
    hits = await find(ports, query)
    # Asked here, too: most searches want no context, and an await costs.
    return await add_context(ports, query, hits) if query.context else hits


async def find(ports: Ports, query: SearchQuery) -> list[Hit]:
    """The best top_k as `search` gives them, without context."""
    require_storable(query.text, "query")
    require_storable(query.scope.agent_id, "agent_id")
    require_storable(query.scope.user_id, "user_id")
    embedder = ports.embedder
    vector = await embedder.embed_query(query.text, query.scope.tenant_id)
    now = query.as_of or ports.clock()
    policy, fusion = query.profile.policy, query.profile.fusion
    nearest = VectorSearch(
        query.scope, vector, query.top_k, policy, now, query.kind, embedder.model
    )
    if fusion:
        time = _read_time(ports, query, now)
        hits = await ports.memories.recall(FusedSearch(nearest, query.text, fusion, time))
    else:
        hits = rank(await ports.memories.search(nearest), now, policy, query.top_k)
    ports.meter.count("memory_operations", operation="search")
    return hits


async def add_context(ports: Ports, query: SearchQuery, hits: list[Hit]) -> list[Hit]:
    """The hits with as many neighbours each as the query wants."""
    if not (query.context and hits):
        return hits
    beside = await ports.memories.surround([hit.memory for hit in hits], query.context)
    return [replace(hit, context=near) for hit, near in zip(hits, beside, strict=True)]


def _read_time(ports: Ports, query: SearchQuery, now: datetime) -> QuestionTime:
    """What the question says of time, as far as that counts."""
    fusion = query.profile.fusion
    if not (fusion.date or fusion.time_words):
        return QuestionTime()
    return ports.calendar.read(query.text, now)
