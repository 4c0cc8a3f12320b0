"""Tenants that have lately met their quota: their writes are refused without being tried."""

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from serve_app.core.errors import FleetmemError, QuotaExceeded
from serve_app.core.memory import EmbeddedMemory, Memory

Outcomes = list[Memory | FleetmemError]
Add = Callable[[Sequence[EmbeddedMemory]], Awaitable[Outcomes]]

SECONDS = 1.0
"""How long; a statement that one of them is in must be split up for the others' sake."""


class FullTenants:
    """Remembers them for a second each."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until: dict[int, float] = {}

    def note(self, tenant_id: int) -> None:
        """The tenant has no room now."""
        self._until[tenant_id] = self._clock() + SECONDS

    async def add_beside(self, memories: Sequence[EmbeddedMemory], add: Add) -> Outcomes:
        """What `add` says of each memory, in order; it is not asked for those of full tenants.

        But for those that may be there already, by themselves.
        """
        full = self.find()
        tenants = [embedded.memory.scope.tenant_id for embedded in memories]
        pairs = list(zip(memories, tenants, strict=True))
        stored = iter(await add([e for e, tenant in pairs if tenant not in full]))
        perhaps_there = iter(await add([e for e, tenant in pairs if tenant in full and e.dedupe]))
        refusal = QuotaExceeded("the tenant's quota is used up")
        outcomes = [
            next(stored) if tenant not in full else next(perhaps_there) if e.dedupe else refusal
            for e, tenant in pairs
        ]
        for tenant, outcome in zip(tenants, outcomes, strict=True):
            if isinstance(outcome, QuotaExceeded) and tenant not in full:
                self.note(tenant)
        return outcomes

    def drop(self, tenant_id: int) -> None:
        """The tenant has made room."""
        self._until.pop(tenant_id, None)

    def find(self) -> frozenset[int]:
        """Those that were noted within the last second."""
        now = self._clock()
        for tenant_id in [tenant for tenant, until in self._until.items() if until <= now]:
            del self._until[tenant_id]
        return frozenset(self._until)
