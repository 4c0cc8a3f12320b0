"""Writes under idempotency keys in Postgres: the effect and its outcome are one transaction.

An outcome is kept as the memory's id and version, and told from what the memory is or was: what has
been forgotten is in no kept answer either. An advisory lock on the key decides who writes.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from serve_app.core.errors import (
    AnswerForgotten,
    FleetmemError,
    InvalidInput,
    KeyReused,
    QuotaExceeded,
    StillRunning,
)
from serve_app.core.memory import Chunk, EmbeddedMemory, Memory, MemoryChanges
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.ports import Outcomes
from serve_app.storage.adding import insert_memories, insert_unless_there
from serve_app.storage.connection import OVER_QUOTA, Connection, Pool, acquired, transaction
from serve_app.storage.memories import (
    REFUSED,
    PostgresMemories,
    forget_memory,
    revise_memory,
)
from serve_app.storage.queries import query
from serve_app.storage.rows import to_memory

Entry = dict[str, Any] | None
"""One kept outcome: `id` and `version`, `was_there` if so; None where nothing was written."""

PURGED_AT_ONCE = 1000


class PostgresOnce:
    """Implements ports.OnceOnly over a pool."""

    def __init__(self, pool: Pool, memories: PostgresMemories) -> None:
        self._pool = pool
        self._memories = memories

    async def recall(self, key: IdempotencyKey) -> Outcomes | None:
        """See ports.OnceOnly. One round trip for a new key."""
        async with acquired(self._pool) as connection:
            if await _find(connection, key, claims=False) is None:
                return None
        async with transaction(self._pool, key.tenant_id) as connection:
            entries = await _find(connection, key, claims=False)
            return None if entries is None else await _tell(connection, key, entries)

    async def add(
        self, key: IdempotencyKey, memories: Mapping[int, EmbeddedMemory], size: int
    ) -> Outcomes:
        """See ports.OnceOnly."""
        scopes = await self._memories.scope_ids.of([e.memory.scope for e in memories.values()])
        scope_ids = dict(zip(memories, scopes, strict=True))
        async with transaction(self._pool, key.tenant_id) as connection:
            entries = await _find(connection, key, claims=True) or [None] * size
            outcomes = await _tell(connection, key, entries)
            places = [place for place in memories if outcomes[place] is None]
            missing = [memories[place] for place in places]
            stored = await insert_unless_there(
                connection, missing, [scope_ids[place] for place in places], _insert
            )
            for place, embedded, outcome in zip(places, missing, stored, strict=True):
                outcomes[place] = Written.of(embedded.memory, outcome)
            new = [old or _entry(told) for old, told in zip(entries, outcomes, strict=True)]
            await _keep(connection, key, new)
        return outcomes

    async def revise(
        self,
        key: IdempotencyKey,
        before: Memory,
        changes: MemoryChanges,
        now: datetime,
        chunks: tuple[Chunk, ...] | None,
        model: str = "",
    ) -> Written:
        """See ports.OnceOnly."""
        async with transaction(self._pool, key.tenant_id) as connection:
            entries = await _find(connection, key, claims=True)
            if entries is not None:
                [outcome] = await _tell(connection, key, entries)
                return _require(outcome)
            after = await revise_memory(connection, before, changes, now, chunks, model)
            written = Written(after)
            await _keep(connection, key, [_entry(written)])
        return written

    async def forget(
        self,
        key: IdempotencyKey,
        memory_id: UUID,
        agent_id: str | None,
        expected: frozenset[int] | None = None,
    ) -> bool:
        """See ports.OnceOnly."""
        async with transaction(self._pool, key.tenant_id) as connection:
            if await _find(connection, key, claims=True) is not None:
                return True
            await forget_memory(connection, key.tenant_id, memory_id, agent_id, expected)
            await _keep(connection, key, [])
        return False


async def purge_outcomes(pool: Pool, hours: int) -> int:
    """Delete the keys that are older than `hours`, a thousand at a time; how many they were."""
    purged = 0
    while True:
        async with acquired(pool) as connection:
            done = await connection.execute(query("purge_outcomes"), hours, PURGED_AT_ONCE)
        purged += int(done.split()[-1])
        if int(done.split()[-1]) < PURGED_AT_ONCE:
            return purged


async def _find(connection: Connection, key: IdempotencyKey, *, claims: bool) -> list[Entry] | None:
    """What is kept under a key; with `claims` nobody else writes under it until the commit."""
    row = await connection.fetchrow(
        "select state, outcomes from find_key($1, $2, $3, $4)",
        key.tenant_id,
        key.key,
        key.digest,
        claims,
    )
    if row is None:
        return None
    if row["state"] == "running":
        raise StillRunning("the request under this key is still running")
    if row["state"] == "other":
        raise KeyReused("the key belongs to another request")
    return json.loads(row["outcomes"])


async def _tell(connection: Connection, key: IdempotencyKey, entries: Sequence[Entry]) -> Outcomes:
    """The outcomes of entries, each memory as it was; within a transaction of the tenant."""
    kept = [(UUID(entry["id"]), int(entry["version"])) for entry in entries if entry]
    if not kept:
        return [None for _ in entries]
    ids, versions = zip(*kept, strict=True)
    rows = await connection.fetch(query("memories_at"), key.tenant_id, ids, versions)
    found = {(row["id"], row["version"]): to_memory(row) for row in rows}
    told = iter(kept)
    return [_replay(entry, found.get(next(told))) if entry else None for entry in entries]


def _replay(entry: dict[str, Any], memory: Memory | None) -> Written | FleetmemError:
    if memory is None:
        return AnswerForgotten("what was written under this key has been forgotten")
    return Written(memory, is_replayed=True, was_there="was_there" in entry)


def _require(outcome: Written | FleetmemError | None) -> Written:
    if isinstance(outcome, FleetmemError):
        raise outcome
    assert outcome is not None  # a change keeps exactly one
    return outcome


async def _keep(connection: Connection, key: IdempotencyKey, entries: Sequence[Entry]) -> None:
    """Keep what was written; a request that wrote nothing is as if it had never been."""
    if entries and not any(entries):
        return
    await connection.execute(
        query("keep_outcomes"), key.tenant_id, key.key, key.digest, json.dumps(list(entries))
    )


def _entry(outcome: Written | FleetmemError | None) -> Entry:
    if not isinstance(outcome, Written):
        return None
    entry = {"id": str(outcome.memory.id), "version": outcome.memory.version}
    return entry | {"was_there": True} if outcome.was_there else entry


async def _insert(
    connection: Connection, memories: Sequence[EmbeddedMemory], scope_ids: Sequence[int]
) -> list[Memory | FleetmemError]:
    """Store each within the transaction; a row that is refused fails alone."""
    if not memories:
        return []
    try:
        async with connection.transaction():
            return await insert_memories(connection, memories, scope_ids)
    except asyncpg.PostgresError as error:
        refusal = _find_refusal(error)
        if len(memories) == 1:
            return [refusal]
    return [
        outcome
        for embedded, scope_id in zip(memories, scope_ids, strict=True)
        for outcome in await _insert(connection, [embedded], [scope_id])
    ]


def _find_refusal(error: asyncpg.PostgresError) -> FleetmemError:
    """What the error says of the memory; raises it when it says nothing."""
    if getattr(error, "sqlstate", None) == OVER_QUOTA:
        return QuotaExceeded("the tenant's quota is used up")
    if isinstance(error, REFUSED):
        return InvalidInput("the memory cannot be stored as it is")
    raise error
