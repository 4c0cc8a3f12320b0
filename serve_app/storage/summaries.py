"""What the summariser needs of Postgres: leases, the oldest memories, and folding them."""

from collections.abc import Sequence
from uuid import UUID

from serve_app.core.memory import EmbeddedMemory, Memory, Scope, Status
from serve_app.core.summary import SummaryRules
from serve_app.operations.ports import Lease
from serve_app.storage.connection import Connection, Pool, acquired, transaction
from serve_app.storage.folding import lock_scope, set_status
from serve_app.storage.queries import query
from serve_app.storage.rows import memory_columns, to_memory, vector_columns


class PostgresSummaries:
    """Implements ports.Summaries over a pool of the role fleetmem_maintenance.

    Leases run out by the database's clock.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def crowded_scopes(self, threshold: int, limit: int) -> list[int]:
        """See ports.Summaries."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(query("crowded_scopes"), threshold, limit)
        return [row["scope_id"] for row in rows]

    async def claim(self, scope_id: int, holder: UUID, seconds: int) -> Lease | None:
        """See ports.Summaries."""
        async with acquired(self._pool) as connection:
            if await connection.fetchval(query("claim_scope"), scope_id, holder, seconds) is None:
                return None
            row = await connection.fetchrow(
                "select tenant_id, agent_id, user_id from scopes where scope_id = $1", scope_id
            )
        assert row is not None  # a lease refers to its scope
        return Lease(scope_id, Scope(row["tenant_id"], row["agent_id"], row["user_id"]), holder)

    async def oldest(self, lease: Lease, rules: SummaryRules) -> list[Memory]:
        """See ports.Summaries."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(
                query("oldest_foldable"), lease.scope_id, rules.threshold, rules.batch_size
            )
        return [to_memory(row) for row in rows]

    async def fold(self, lease: Lease, sources: Sequence[Memory], summary: EmbeddedMemory) -> bool:
        """See ports.Summaries."""
        async with transaction(self._pool, lease.scope.tenant_id) as connection:
            await lock_scope(connection, lease.scope_id)
            if not await _holds(connection, lease) or not await _as_read(
                connection, lease, sources
            ):
                return False
            columns = [*memory_columns([summary], [lease.scope_id]), *vector_columns([summary])]
            await connection.execute(query("add_memories"), *columns, summary.model)
            ids = [source.id for source in sources]
            await set_status(connection, ids, Status.ARCHIVED, summary.memory.id)
        return True

    async def release(self, lease: Lease) -> None:
        """See ports.Summaries."""
        async with acquired(self._pool) as connection:
            await connection.execute(
                "delete from summary_leases where scope_id = $1 and holder = $2",
                lease.scope_id,
                lease.holder,
            )


async def _holds(connection: Connection, lease: Lease) -> bool:
    """Whether the lease still stands; it cannot be taken over while this transaction runs."""
    held = await connection.fetchval(
        "select true from summary_leases where scope_id = $1 and holder = $2 "
        "and expires_at > now() for update",
        lease.scope_id,
        lease.holder,
    )
    return held is True


async def _as_read(connection: Connection, lease: Lease, sources: Sequence[Memory]) -> bool:
    """Whether every source is still what was summarised; none can change before the commit."""
    ids = [source.id for source in sources]
    await connection.execute("select from memories where id = any($1::uuid[]) for update", ids)
    rows = await connection.fetch(query("get_memories"), lease.scope.tenant_id, ids)
    stored = {memory.id: memory for memory in map(to_memory, rows)}
    return all(stored.get(source.id) == source for source in sources)
