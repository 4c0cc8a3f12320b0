"""The menu: every verb a door may call, on one object."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from serve_app.core.errors import FleetmemError, ModelChanged
from serve_app.core.memory import Memory, MemoryChanges, MemoryDraft, MemoryVersion, Scope
from serve_app.core.page import MemoryFilter, MemoryPage
from serve_app.core.principal import Principal
from serve_app.core.ranking import Hit
from serve_app.core.rate_limits import LimitRules
from serve_app.core.reranking import Reranked
from serve_app.core.search import SearchQuery
from serve_app.core.usage import Usage
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations import (
    check_health,
    forget,
    read,
    read_usage,
    remember,
    rerank,
    revise,
    search,
)
from serve_app.operations.default_book import DefaultBook
from serve_app.operations.key_ring import KeyRing
from serve_app.operations.limit import Limiter
from serve_app.operations.ports import Ports
from serve_app.operations.registry import Registry


@dataclass(frozen=True, slots=True)
class Service:
    """What fleetmem does, whoever asks and however they came in.

    `key_ring` tells who asks, `registry` makes and ends tenants and keys, `defaults` knows how
    those rank who do not say.
    """

    ports: Ports
    registry: Registry
    key_ring: KeyRing
    defaults: DefaultBook
    limiter: Limiter | None = None

    async def remember(self, draft: MemoryDraft, key: IdempotencyKey | None = None) -> Written:
        """Store one draft, once under a key."""
        return await remember.remember(self.ports, draft, key)

    async def remember_many(
        self, drafts: Sequence[MemoryDraft], key: IdempotencyKey | None = None
    ) -> list[Written | FleetmemError]:
        """Store each draft with its own outcome, in order; each once under a key."""
        return await remember.remember_many(self.ports, drafts, key)

    async def search(self, query: SearchQuery) -> list[Hit]:
        """The best memories of one scope."""
        try:
            return await search.search(self.ports, query)
        except ModelChanged:
            await self.ports.models.refresh()
            return await search.search(self.ports, query)

    async def search_reranked(self, query: SearchQuery) -> Reranked:
        """The same in the order of a reranker, where there is one and it has the time."""
        try:
            return await rerank.search_reranked(self.ports, query)
        except ModelChanged:
            await self.ports.models.refresh()
            return await rerank.search_reranked(self.ports, query)

    async def get(self, principal: Principal, memory_id: UUID) -> Memory:
        """One memory of the caller's tenant."""
        return await read.get(self.ports, principal.tenant_id, memory_id)

    async def page(self, where: MemoryFilter, limit: int, after: UUID | None) -> MemoryPage:
        """One page of memories, newest first."""
        return await read.page(self.ports, where, limit, after)

    async def count(self, scope: Scope) -> int:
        """How many active memories a scope holds."""
        return await read.count(self.ports, scope)

    async def revise(
        self,
        principal: Principal,
        memory_id: UUID,
        changes: MemoryChanges,
        expected: frozenset[int] | None = None,
        key: IdempotencyKey | None = None,
    ) -> Written:
        """Change one memory, if it is in one of the `expected` versions; once under a key."""
        asked = (principal.tenant_id, memory_id, changes, expected, key)
        try:
            return await revise.revise(self.ports, *asked)
        except ModelChanged:
            await self.ports.models.refresh()
            return await revise.revise(self.ports, *asked)

    async def forget(
        self,
        principal: Principal,
        memory_id: UUID,
        agent_id: str | None,
        expected: frozenset[int] | None = None,
        key: IdempotencyKey | None = None,
    ) -> bool:
        """Delete one memory and what speaks of it, if it is in one of the `expected` versions.

        True when the key had it done before.
        """
        tenant_id = principal.tenant_id
        return await forget.forget(self.ports, tenant_id, memory_id, agent_id, expected, key)

    async def page_versions(
        self, principal: Principal, memory_id: UUID, limit: int, before: int | None
    ) -> list[MemoryVersion]:
        """What one memory of the caller's tenant is and was, newest first."""
        return await read.page_versions(self.ports, principal.tenant_id, memory_id, limit, before)

    async def read_usage(self, principal: Principal) -> tuple[Usage, LimitRules]:
        """What the caller's tenant holds, may hold, and how fast it may ask."""
        return await read_usage.read_usage(self.ports, self.limiter, principal.tenant_id)

    async def check_health(self) -> dict[str, str]:
        """`ok` or an error code, by dependency."""
        return await check_health.check_health(self.ports)
