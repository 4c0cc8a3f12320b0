"""Fused searches in Postgres: one statement for the pools, one for the memories that won."""

from collections.abc import Sequence

from serve_app.core.fusion import Fused, Pool, fuse
from serve_app.core.memory import Memory, Scope
from serve_app.core.ranking import Hit
from serve_app.core.search import FusedSearch
from serve_app.settings import Settings
from serve_app.storage.connection import Pool as Connections
from serve_app.storage.connection import acquired
from serve_app.storage.joining import JoinedSearches
from serve_app.storage.pool_rows import pool_columns, read_pool
from serve_app.storage.queries import query
from serve_app.storage.rows import to_memory_of

DEPTH = 40
"""How many are found each way, by vector and by words, unless twice top_k is more."""

Won = tuple[int, Scope, Pool, Fused]
"""The number of a search, its scope, its pool, and one of the best of it."""


class PostgresPools:
    """The part of ports.Memories that fuses."""

    def __init__(self, connections: Connections, settings: Settings) -> None:
        self._connections = connections
        self._exact_rows = settings.exact_scope_rows
        self._gap_seconds = settings.session_gap_seconds
        self._joined = JoinedSearches(self._recall)

    async def recall_many(self, searches: Sequence[FusedSearch]) -> list[list[Hit]]:
        """The hits of each search, in order; concurrent calls share their statements."""
        return await self._joined.submit(searches)

    async def surround(self, memories: Sequence[Memory], reach: int) -> list[tuple[Memory, ...]]:
        """See ports.Memories."""
        columns = ([m.scope.tenant_id for m in memories], [m.id for m in memories])
        async with acquired(self._connections) as connection:
            rows = await connection.fetch(query("surround_memories"), *columns, reach)
        found: list[list[Memory]] = [[] for _ in memories]
        for number, *columns_of_memory in rows:
            beside = to_memory_of(columns_of_memory, memories[number - 1].scope)
            found[number - 1].append(beside)
        return [tuple(beside) for beside in found]

    async def _recall(self, searches: Sequence[FusedSearch]) -> list[list[Hit]]:
        model = searches[0].nearest.model if searches else ""
        if any(search.nearest.model != model for search in searches):
            return [found for search in searches for found in await self._recall([search])]
        columns = pool_columns(searches)
        async with acquired(self._connections) as connection:
            rows = await connection.fetch(
                query("pool_candidates"), *columns, DEPTH, self._exact_rows, model
            )
        won: list[Won] = []
        for number, *arrays in rows:
            search, pool = searches[number - 1], read_pool(arrays)
            scope = search.nearest.scope
            won += [(number, scope, pool, best) for best in fuse(pool, search, self._gap_seconds)]
        return await self._read(won, len(searches))

    async def _read(self, won: Sequence[Won], count: int) -> list[list[Hit]]:
        """The memories that won; one that was forgotten meanwhile is left out."""
        hits: list[list[Hit]] = [[] for _ in range(count)]
        columns = (
            [scope.tenant_id for _, scope, _, _ in won],
            [pool.ids[best.row] for _, _, pool, best in won],
        )
        async with acquired(self._connections) as connection:
            rows = await connection.fetch(query("read_memories"), *columns)
        stored = {(row["tenant_id"], row["id"]): row for row in rows}
        for number, scope, pool, best in won:
            row = stored.get((scope.tenant_id, pool.ids[best.row]))
            if row is not None:
                _, *columns_of_memory = row
                hits[number - 1].append(_to_hit(to_memory_of(columns_of_memory, scope), pool, best))
        return hits


def _to_hit(memory: Memory, pool: Pool, best: Fused) -> Hit:
    return Hit(
        memory,
        float(pool.similarity[best.row]),
        best.recency,
        memory.importance,
        best.score,
        pool.spans[best.row],
        best.signals,
    )
