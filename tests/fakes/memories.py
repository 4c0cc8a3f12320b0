"""Memories in a dictionary, held to the same contract as Postgres."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from serve_app.core.errors import (
    Conflict,
    DatabaseUnavailable,
    FleetmemError,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
)
from serve_app.core.fusion import fuse
from serve_app.core.memory import (
    Chunk,
    EmbeddedMemory,
    Memory,
    MemoryChanges,
    MemoryVersion,
    Scope,
    Status,
)
from serve_app.core.page import MemoryFilter, MemoryPage
from serve_app.core.ranking import Candidate, Hit
from serve_app.core.search import FusedSearch, VectorSearch
from serve_app.core.usage import Quota, Usage
from tests.fakes.fusion import in_sessions, pool_of

SESSION_GAP_SECONDS = 3600.0


class InMemoryMemories:
    """Implements ports.Memories; `down` makes every call raise DatabaseUnavailable."""

    def __init__(self) -> None:
        self.rows: dict[UUID, EmbeddedMemory] = {}
        self.former: dict[UUID, list[tuple[Memory, datetime]]] = {}
        self.scope_ids: dict[Scope, int] = {}
        self.quotas: dict[int, Quota] = {}
        self.down = False

    async def add(self, memories: Sequence[EmbeddedMemory]) -> list[Memory | FleetmemError]:
        self.require_up()
        return [self._twin(row) or self._refuse(row) or self.insert(row) for row in memories]

    async def search(self, search: VectorSearch) -> list[Candidate]:
        self.require_up()
        return [
            _candidate(row, search)
            for row in self.rows.values()
            if row.memory.scope == search.scope
            and row.memory.status is Status.ACTIVE
            and search.kind in (None, row.memory.kind)
        ]

    async def recall(self, search: FusedSearch) -> list[Hit]:
        candidates = await self.search(search.nearest)
        if not candidates:
            return []
        by_id = {candidate.memory.id: candidate.memory for candidate in candidates}
        active = self._active_of(search.nearest.scope)
        pool = pool_of(candidates, active, search.text, set(search.time.time_words))
        return [
            Hit(
                by_id[pool.ids[best.row]],
                float(pool.similarity[best.row]),
                best.recency,
                float(pool.importance[best.row]),
                best.score,
                pool.spans[best.row],
                best.signals,
            )
            for best in fuse(pool, search, SESSION_GAP_SECONDS)
        ]

    async def surround(self, memories: Sequence[Memory], reach: int) -> list[tuple[Memory, ...]]:
        self.require_up()
        return [self._beside(memory, reach) for memory in memories]

    async def get(self, tenant_id: int, memory_id: UUID) -> Memory:
        self.require_up()
        row = self.rows.get(memory_id)
        if row is None or row.memory.scope.tenant_id != tenant_id:
            raise NotFound(f"no memory {memory_id}")
        return row.memory

    async def page(self, where: MemoryFilter, limit: int, after: UUID | None) -> MemoryPage:
        self.require_up()
        found = sorted(
            (row.memory for row in self.rows.values() if _matches(row.memory, where)),
            key=lambda memory: memory.id,
            reverse=True,
        )
        rest = [memory for memory in found if after is None or memory.id < after]
        page = tuple(rest[:limit])
        return MemoryPage(page, page[-1].id if len(rest) > limit else None)

    async def count(self, scope: Scope) -> int:
        self.require_up()
        return sum(memory.status is Status.ACTIVE for memory in self.of_scope(scope))

    async def revise(
        self,
        before: Memory,
        changes: MemoryChanges,
        now: datetime,
        chunks: tuple[Chunk, ...] | None,
        model: str = "",
    ) -> Memory:
        self.require_up()
        row = self.rows.get(before.id)
        if row is None or row.memory != before:
            raise Conflict("the memory was changed meanwhile; read it again")
        if changes.content is not None and (
            refusal := self._refuse(
                replace(row, memory=replace(before, content=changes.content)),
                replaced=len(before.content.encode()),
            )
        ):
            raise refusal
        self._withdraw_above(before.id)
        if chunks:
            self.rows[before.id] = replace(self.rows[before.id], chunks=chunks)
        return self.change(before.id, updated_at=now, **_given(changes))

    async def forget(
        self,
        tenant_id: int,
        memory_id: UUID,
        agent_id: str | None,
        expected: frozenset[int] | None = None,
    ) -> None:
        memory = await self.get(tenant_id, memory_id)
        if agent_id is not None and memory.scope.agent_id != agent_id:
            raise NotFound(f"no memory {memory_id}")
        if expected is not None and memory.version not in expected:
            raise PreconditionFailed("the memory is in another version")
        self._withdraw_above(memory_id)
        self._delete_below(memory_id)

    async def page_versions(
        self, tenant_id: int, memory_id: UUID, limit: int, before: int | None
    ) -> list[MemoryVersion]:
        try:
            memory = await self.get(tenant_id, memory_id)
        except NotFound:
            return []
        states = [*self.former.get(memory_id, []), (memory, None)]
        since = [memory.created_at] + [ended for _, ended in states if ended]
        versions = [
            _version(state, began, ended)
            for (state, ended), began in zip(states, since, strict=True)
        ]
        return [v for v in reversed(versions) if before is None or v.version < before][:limit]

    async def check_health(self) -> None:
        self.require_up()

    def insert(self, row: EmbeddedMemory) -> Memory:
        """Store once, and return what is stored."""
        self.scope_ids.setdefault(row.memory.scope, len(self.scope_ids) + 1)
        return self.rows.setdefault(row.memory.id, row).memory

    def usage(self, tenant_id: int) -> Usage:
        """Counted anew: a fake has the time."""
        contents = [
            row.memory.content
            for row in self.rows.values()
            if row.memory.scope.tenant_id == tenant_id
        ]
        held = sum(len(content.encode()) for content in contents)
        return Usage(len(contents), held, self.quotas.get(tenant_id, Quota()))

    def _refuse(self, row: EmbeddedMemory, replaced: int | None = None) -> QuotaExceeded | None:
        """The refusal of a memory that would be too much, `replaced` bytes of it known already."""
        usage = self.usage(row.memory.scope.tenant_id)
        memories = usage.memories + (replaced is None)
        size = usage.bytes + len(row.memory.content.encode()) - (replaced or 0)
        quota = usage.quota
        if row.memory.id in self.rows and replaced is None:
            return None
        if (quota.memories is not None and memories > quota.memories) or (
            quota.bytes is not None and size > quota.bytes
        ):
            return QuotaExceeded("the tenant's quota is used up")
        return None

    def _twin(self, row: EmbeddedMemory) -> Memory | None:
        """The active memory that stands for one that asks not to be stored twice."""
        asked = row.memory
        same = (
            memory
            for memory in self._active_of(asked.scope)
            if row.dedupe and (memory.kind, memory.content) == (asked.kind, asked.content)
        )
        return min(same, key=lambda memory: memory.id, default=None)

    def of_scope(self, scope: Scope) -> list[Memory]:
        """Every memory of a scope, oldest first."""
        found = [row.memory for row in self.rows.values() if row.memory.scope == scope]
        return sorted(found, key=lambda memory: (memory.occurred_at, memory.id))

    def change(self, memory_id: UUID, **fields: Any) -> Memory:
        """Set fields of a stored memory without any rule; what it was is kept as a version."""
        row = self.rows[memory_id]
        ended = fields.get("updated_at") or datetime.now(UTC)
        self.former.setdefault(memory_id, []).append((row.memory, ended))
        after = replace(row.memory, version=row.memory.version + 1, **fields)
        self.rows[memory_id] = replace(row, memory=after)
        return after

    def require_up(self) -> None:
        """Raise as a database would that is away."""
        if self.down:
            raise DatabaseUnavailable("the fake database is down")

    def _active_of(self, scope: Scope) -> list[Memory]:
        return [memory for memory in self.of_scope(scope) if memory.status is Status.ACTIVE]

    def _beside(self, memory: Memory, reach: int) -> tuple[Memory, ...]:
        active = self._active_of(memory.scope)
        line = in_sessions([one for one in active if one.session_id == memory.session_id])
        place = [one.id for one in line].index(memory.id)
        beside = line[max(0, place - reach) : place + reach + 1]
        return tuple(one for one in beside if one.id != memory.id)

    def _withdraw_above(self, memory_id: UUID) -> None:
        """Delete every summary that speaks of a memory, topmost first; free their sources."""
        summary_id = self.rows[memory_id].memory.superseded_by
        if summary_id is None:
            return
        self._withdraw_above(summary_id)
        for source_id in self._present(self.rows[summary_id].memory.sources):
            self.change(source_id, status=Status.ACTIVE, superseded_by=None)
        self._drop(summary_id)

    def _delete_below(self, memory_id: UUID) -> None:
        """Delete a memory and all that it was folded from."""
        for source_id in self._present(self._drop(memory_id).memory.sources):
            self._delete_below(source_id)

    def _drop(self, memory_id: UUID) -> EmbeddedMemory:
        self.former.pop(memory_id, None)
        return self.rows.pop(memory_id)

    def _present(self, ids: Iterable[UUID]) -> list[UUID]:
        return [memory_id for memory_id in ids if memory_id in self.rows]


def _given(changes: MemoryChanges) -> dict[str, Any]:
    names = ("content", "kind", "importance", "occurred_at", "status")
    return {name: getattr(changes, name) for name in names if getattr(changes, name) is not None}


def _version(state: Memory, began: datetime, ended: datetime | None) -> MemoryVersion:
    return MemoryVersion(
        state.version,
        state.content,
        state.kind,
        state.importance,
        state.occurred_at,
        state.status,
        state.superseded_by,
        began,
        ended,
    )


def _candidate(row: EmbeddedMemory, search: VectorSearch) -> Candidate:
    best = max(row.chunks, key=lambda chunk: float(chunk.vector @ search.vector))
    return Candidate(row.memory, float(best.vector @ search.vector), (best.start, best.end))


def _matches(memory: Memory, where: MemoryFilter) -> bool:
    scope, occurred = memory.scope, memory.occurred_at
    return (
        scope.tenant_id == where.tenant_id
        and where.agent_id in (None, scope.agent_id)
        and where.user_id in (None, scope.user_id)
        and where.kind in (None, memory.kind)
        and where.status in (None, memory.status)
        and (where.occurred_from is None or occurred >= where.occurred_from)
        and (where.occurred_before is None or occurred < where.occurred_before)
    )
