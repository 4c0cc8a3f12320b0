"""Memories in Postgres: what is returned is committed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from serve_app.core.errors import (
    Conflict,
    DatabaseUnavailable,
    FleetmemError,
    InvalidInput,
    ModelChanged,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
)
from serve_app.core.memory import (
    Chunk,
    EmbeddedMemory,
    Memory,
    MemoryChanges,
    MemoryVersion,
    Scope,
)
from serve_app.core.page import MemoryFilter, MemoryPage
from serve_app.core.ranking import Candidate, Hit
from serve_app.core.search import FusedSearch, VectorSearch
from serve_app.settings import Settings
from serve_app.storage.adding import insert_memories, insert_unless_there
from serve_app.storage.connection import Connection, Pool, acquired, transaction
from serve_app.storage.folding import delete_with_sources, lock_scope, withdraw_summaries
from serve_app.storage.full_tenants import FullTenants
from serve_app.storage.joining import JoinedSearches
from serve_app.storage.pools import PostgresPools
from serve_app.storage.queries import query
from serve_app.storage.rows import (
    FoundRow,
    PlainSearch,
    changed_columns,
    chunk_columns,
    search_columns,
    split_rows,
    to_candidates,
    to_memory,
    to_plain_rows,
    to_plain_search,
    to_version,
    uuid_of_driver,
)
from serve_app.storage.scopes import ScopeIds

REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""What Postgres says of a row that it cannot store, whoever sends it again."""


class PostgresMemories:
    """Implements ports.Memories over a pool."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._exact_rows = settings.exact_scope_rows
        self.scope_ids = ScopeIds(pool)
        self._full = FullTenants()
        self._joined = JoinedSearches(self._search)
        self._pools = PostgresPools(pool, settings)

    async def add(self, memories: Sequence[EmbeddedMemory]) -> list[Memory | FleetmemError]:
        """See ports.Memories."""
        return await self._full.add_beside(memories, self._add)

    async def search(self, search: VectorSearch) -> list[Candidate]:
        """See ports.Memories."""
        [candidates] = await self.search_many([search])
        return candidates

    async def search_many(self, searches: Sequence[VectorSearch]) -> list[list[Candidate]]:
        """The candidates of each search, in order, in one round trip.

        Under load, concurrent calls share their statements, and a long list takes several.
        """
        found = await self._joined.submit(list(map(to_plain_search, searches)))
        return [
            to_candidates(rows, search.scope, uuid_of_driver)
            for rows, search in zip(found, searches, strict=True)
        ]

    async def search_rows(self, searches: Sequence[PlainSearch]) -> list[list[FoundRow]]:
        """As `search_many`, from plain searches to plain rows, of which others make candidates."""
        return list(map(to_plain_rows, await self._joined.submit(searches)))

    async def recall(self, search: FusedSearch) -> list[Hit]:
        """See ports.Memories."""
        [hits] = await self.recall_many([search])
        return hits

    async def recall_many(self, searches: Sequence[FusedSearch]) -> list[list[Hit]]:
        """The hits of each fused search, in order; concurrent calls share their statements."""
        return await self._pools.recall_many(searches)

    async def surround(self, memories: Sequence[Memory], reach: int) -> list[tuple[Memory, ...]]:
        """See ports.Memories."""
        return await self._pools.surround(memories, reach)

    async def get(self, tenant_id: int, memory_id: UUID) -> Memory:
        """See ports.Memories."""
        async with acquired(self._pool) as connection:
            return to_memory(await _find(connection, tenant_id, memory_id))

    async def page(self, where: MemoryFilter, limit: int, after: UUID | None) -> MemoryPage:
        """See ports.Memories."""
        filters = (
            where.tenant_id,
            where.agent_id,
            where.user_id,
            None if where.kind is None else where.kind.value,
            None if where.status is None else where.status.value,
            where.occurred_from,
            where.occurred_before,
        )
        one_scope = where.agent_id is not None and where.user_id is not None
        statement = "page_scope" if one_scope else "page_memories"
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(query(statement), *filters, after, limit + 1)
        memories = tuple(to_memory(row) for row in rows[:limit])
        return MemoryPage(memories, memories[-1].id if len(rows) > limit else None)

    async def count(self, scope: Scope) -> int:
        """See ports.Memories."""
        async with acquired(self._pool) as connection:
            total = await connection.fetchval(
                query("count_memories"), scope.tenant_id, scope.agent_id, scope.user_id
            )
        return total or 0

    async def revise(
        self,
        before: Memory,
        changes: MemoryChanges,
        now: datetime,
        chunks: tuple[Chunk, ...] | None,
        model: str = "",
    ) -> Memory:
        """See ports.Memories."""
        async with transaction(self._pool, before.scope.tenant_id) as connection:
            return await revise_memory(connection, before, changes, now, chunks, model)

    async def forget(
        self,
        tenant_id: int,
        memory_id: UUID,
        agent_id: str | None,
        expected: frozenset[int] | None = None,
    ) -> None:
        """See ports.Memories."""
        async with transaction(self._pool, tenant_id) as connection:
            await forget_memory(connection, tenant_id, memory_id, agent_id, expected)
        self._full.drop(tenant_id)

    async def page_versions(
        self, tenant_id: int, memory_id: UUID, limit: int, before: int | None
    ) -> list[MemoryVersion]:
        """See ports.Memories."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(
                query("page_versions"), tenant_id, memory_id, before, limit
            )
        return [to_version(row) for row in rows]

    async def check_health(self) -> None:
        """See ports.Memories."""
        async with acquired(self._pool) as connection:
            if await connection.fetchval("select 1") != 1:
                raise DatabaseUnavailable("the database gives no answer")

    async def _add(self, memories: Sequence[EmbeddedMemory]) -> list[Memory | FleetmemError]:
        """One statement for all; one by one when a row is refused."""
        if not memories:
            return []
        try:
            if len({embedded.model for embedded in memories}) == 1:
                return await self._insert(memories)
        except ModelChanged as refusal:
            return [refusal] * len(memories)
        except REFUSED:
            if len(memories) == 1:
                return [InvalidInput("the memory cannot be stored as it is")]
        except QuotaExceeded as refusal:
            if len(memories) == 1:
                return [refusal]
        return [outcome for memory in memories for outcome in await self._add([memory])]

    async def _search(self, searches: Sequence[PlainSearch]) -> list[list[FoundRow]]:
        model = searches[0][-1] if searches else ""
        if any(search[-1] != model for search in searches):
            return [found for search in searches for found in await self._search([search])]
        columns = search_columns(searches)
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(
                query("search_memories"), *columns, self._exact_rows, model
            )
        return split_rows(rows, len(searches))

    async def _insert(self, memories: Sequence[EmbeddedMemory]) -> list[Memory | FleetmemError]:
        scope_ids = await self.scope_ids.of([embedded.memory.scope for embedded in memories])
        async with acquired(self._pool) as connection:
            if not any(embedded.dedupe for embedded in memories):
                return await insert_memories(connection, memories, scope_ids)
            async with connection.transaction():
                return await insert_unless_there(connection, memories, scope_ids, insert_memories)


async def revise_memory(
    connection: Connection,
    before: Memory,
    changes: MemoryChanges,
    now: datetime,
    chunks: tuple[Chunk, ...] | None,
    model: str,
) -> Memory:
    """See ports.Memories; within a transaction of the tenant."""
    if chunks is not None:
        # Before any lock that is waited for, so that it and a change of the model wait for each
        # other in turn.
        await connection.execute("select enter_writing($1, $2)", before.scope.tenant_id, model)
    await _lock(connection, before.scope.tenant_id, before.id)
    row = await _find(connection, before.scope.tenant_id, before.id, Conflict)
    if to_memory(row) != before:
        raise Conflict("the memory was changed meanwhile; read it again")
    await withdraw_summaries(connection, before.id)
    await connection.execute(query("revise_memory"), before.id, *changed_columns(changes), now)
    if chunks is not None:
        await connection.execute(query("add_vectors"), before.id, *chunk_columns(chunks))
    return to_memory(await _find(connection, before.scope.tenant_id, before.id))


async def forget_memory(
    connection: Connection,
    tenant_id: int,
    memory_id: UUID,
    agent_id: str | None,
    expected: frozenset[int] | None,
) -> None:
    """See ports.Memories; within a transaction of the tenant."""
    await _lock(connection, tenant_id, memory_id)
    row = await _find(connection, tenant_id, memory_id)
    if agent_id is not None and row["agent_id"] != agent_id:
        raise NotFound(f"no memory {memory_id}")
    if expected is not None and row["version"] not in expected:
        raise PreconditionFailed("the memory is in another version")
    await withdraw_summaries(connection, memory_id)
    await delete_with_sources(connection, memory_id)


async def _lock(connection: Connection, tenant_id: int, memory_id: UUID) -> None:
    """Take the folding lock of the memory's scope, if there is such a memory."""
    scope_id = await connection.fetchval(
        "select scope_id from memories where tenant_id = $1 and id = $2", tenant_id, memory_id
    )
    if scope_id is not None:
        await lock_scope(connection, scope_id)


async def _find(
    connection: Connection,
    tenant_id: int,
    memory_id: UUID,
    missing: type[FleetmemError] = NotFound,
) -> asyncpg.Record:
    row = await connection.fetchrow(query("get_memories"), tenant_id, [memory_id])
    if row is None:
        raise missing(f"no memory {memory_id}")
    return row
