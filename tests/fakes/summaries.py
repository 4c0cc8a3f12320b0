"""What the summariser needs of storage, over the dictionary of InMemoryMemories."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from serve_app.core.memory import EmbeddedMemory, Kind, Memory, Scope, Status
from serve_app.core.summary import SummaryRules
from serve_app.operations.ports import Lease
from tests.fakes.memories import InMemoryMemories


class InMemorySummaries:
    """Implements ports.Summaries; a lease runs out by `clock`."""

    def __init__(self, memories: InMemoryMemories, clock: Callable[[], datetime]) -> None:
        self._memories = memories
        self._clock = clock
        self.leases: dict[int, tuple[UUID, datetime]] = {}

    async def crowded_scopes(self, threshold: int, limit: int) -> list[int]:
        self._memories.require_up()
        crowded = [
            scope_id
            for scope, scope_id in self._memories.scope_ids.items()
            if any(len(sort) > threshold for sort in self._sorts(scope))
        ]
        return crowded[:limit]

    async def claim(self, scope_id: int, holder: UUID, seconds: int) -> Lease | None:
        self._memories.require_up()
        owner, expires_at = self.leases.get(scope_id, (holder, self._clock()))
        if owner != holder and expires_at > self._clock():
            return None
        self.leases[scope_id] = (holder, self._clock() + timedelta(seconds=seconds))
        return Lease(scope_id, self._scope(scope_id), holder)

    async def oldest(self, lease: Lease, rules: SummaryRules) -> list[Memory]:
        self._memories.require_up()
        for sort in self._sorts(lease.scope):
            if len(sort) > rules.threshold:
                return sort[: rules.batch_size]
        return []

    async def fold(self, lease: Lease, sources: Sequence[Memory], summary: EmbeddedMemory) -> bool:
        self._memories.require_up()
        if not self._holds(lease) or not all(self._as_read(source) for source in sources):
            return False
        self._memories.insert(summary)
        for source in sources:
            self._memories.change(
                source.id, status=Status.ARCHIVED, superseded_by=summary.memory.id
            )
        return True

    async def release(self, lease: Lease) -> None:
        if self.leases.get(lease.scope_id, (None,))[0] == lease.holder:
            del self.leases[lease.scope_id]

    def _sorts(self, scope: Scope) -> list[list[Memory]]:
        """The active memories that may be folded: episodic ones, and summaries."""
        active = [m for m in self._memories.of_scope(scope) if m.status is Status.ACTIVE]
        episodic = [memory for memory in active if memory.kind is Kind.EPISODIC]
        summaries = [m for m in active if m.kind is Kind.SEMANTIC and m.sources]
        return [episodic, summaries]

    def _scope(self, scope_id: int) -> Scope:
        return next(s for s, number in self._memories.scope_ids.items() if number == scope_id)

    def _holds(self, lease: Lease) -> bool:
        holder, expires_at = self.leases.get(lease.scope_id, (None, self._clock()))
        return holder == lease.holder and expires_at > self._clock()

    def _as_read(self, source: Memory) -> bool:
        row = self._memories.rows.get(source.id)
        return row is not None and row.memory == source
