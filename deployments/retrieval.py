"""Retrieval: owns the Postgres pool; finds candidates, writes memories."""

from datetime import datetime
from uuid import UUID

from ray import serve

from deployments.direct_server import DirectMethods
from deployments.key_methods import KeyMethods
from deployments.metrics import RayMeter
from deployments.ranking_methods import RankingMethods
from deployments.scaling import CALLS_IN_FLIGHT, RETRIEVAL_SCALING
from deployments.schedule import Schedule
from deployments.wire import pack, pack_plain, unpack
from serve_app.core.memory import (
    Chunk,
    EmbeddedMemory,
    Memory,
    MemoryChanges,
    MemoryVersion,
    Scope,
)
from serve_app.core.page import MemoryFilter, MemoryPage
from serve_app.core.search import FusedSearch
from serve_app.core.token_window import TokenRequest
from serve_app.core.usage import Usage
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.ports import Outcomes
from serve_app.settings import load_settings
from serve_app.storage.connection import acquired, open_pool, pool_usage
from serve_app.storage.keys import PostgresKeys, require_keys
from serve_app.storage.languages import require_language
from serve_app.storage.limits import PostgresLimits
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.model_stamp import read_stamp, require_model
from serve_app.storage.once import PostgresOnce
from serve_app.storage.ranking_defaults import PostgresRankingDefaults
from serve_app.storage.rows import PlainSearch
from serve_app.storage.tokens import PostgresTokens

POOL_GAUGE_SECONDS = 1.0


@serve.deployment(
    name="Retrieval",
    max_ongoing_requests=256,
    autoscaling_config=RETRIEVAL_SCALING,
    ray_actor_options={"num_cpus": 0.5, "memory": 200 * 2**20},
    graceful_shutdown_timeout_s=5,
    health_check_period_s=5,
)
class Retrieval(DirectMethods, KeyMethods, RankingMethods):
    """Ready once the pool has its connections; a database that goes away later is 503."""

    direct_methods = ("search", "recall", "surround", "add")

    async def __init__(self, config: str | None) -> None:
        settings = load_settings(config)
        self._pool = await open_pool(settings)
        async with acquired(self._pool) as connection:
            await require_model(connection, settings.stored_model)
            await require_keys(connection, settings.open_allowed)
            await require_language(connection, settings.search_language)
        self._memories = PostgresMemories(self._pool, settings)
        self._once = PostgresOnce(self._pool, self._memories)
        self.keys = PostgresKeys(self._pool)
        self.defaults = PostgresRankingDefaults(self._pool)
        self._tokens = PostgresTokens(self._pool)
        self._limits = PostgresLimits(self._pool)
        self._meter = RayMeter()
        self._schedule = Schedule()
        self._schedule.every(POOL_GAUGE_SECONDS, self._gauge_pool)

    async def search(self, packed: bytes) -> bytes:
        """Plain searches, answered with the rows of each, which the caller makes candidates of."""
        searches: list[PlainSearch] = unpack(packed)
        return pack_plain(await self._memories.search_rows(searches))

    async def recall(self, packed: bytes) -> bytes:
        """FusedSearches, answered with the hits of each: two statements for all."""
        searches: list[FusedSearch] = unpack(packed)
        return pack(await self._memories.recall_many(searches))

    async def surround(self, packed: bytes, reach: int) -> bytes:
        """Memories, answered with what stands beside each."""
        memories: list[Memory] = unpack(packed)
        return pack(await self._memories.surround(memories, reach))

    async def add(self, packed: bytes) -> bytes:
        """EmbeddedMemories, answered with what is stored of each, or its own error."""
        memories: list[EmbeddedMemory] = unpack(packed)
        return pack(await self._memories.add(memories))

    async def get(self, tenant_id: int, memory_id: UUID) -> Memory:
        """One memory of a tenant."""
        return await self._memories.get(tenant_id, memory_id)

    async def page(self, where: MemoryFilter, limit: int, after: UUID | None) -> MemoryPage:
        """One page of memories."""
        return await self._memories.page(where, limit, after)

    async def count(self, scope: Scope) -> int:
        """Active memories of a scope."""
        return await self._memories.count(scope)

    async def revise(
        self,
        before: Memory,
        changes: MemoryChanges,
        now: datetime,
        chunks: tuple[Chunk, ...] | None,
        model: str = "",
    ) -> Memory:
        """Change one memory."""
        return await self._memories.revise(before, changes, now, chunks, model)

    async def forget(
        self,
        tenant_id: int,
        memory_id: UUID,
        agent_id: str | None,
        expected: frozenset[int] | None,
    ) -> None:
        """Delete one memory."""
        await self._memories.forget(tenant_id, memory_id, agent_id, expected)

    async def page_versions(
        self, tenant_id: int, memory_id: UUID, limit: int, before: int | None
    ) -> list[MemoryVersion]:
        """What one memory is and was."""
        return await self._memories.page_versions(tenant_id, memory_id, limit, before)

    async def lease_tokens(self, packed: bytes) -> bytes:
        """TokenRequests, answered with the grant of each: one statement for all."""
        requests: list[TokenRequest] = unpack(packed)
        return pack(await self._tokens.lease_many(requests))

    async def limit_overrides(self) -> dict[int, dict[str, str]]:
        """The rate limits that single tenants have."""
        return await self._limits.overrides()

    async def usage(self, tenant_id: int) -> Usage:
        """What a tenant holds and may hold."""
        return await self._limits.usage(tenant_id)

    async def stored_models(self) -> tuple[str, ...]:
        """The models that vectors are stored of, the active one first."""
        async with acquired(self._pool) as connection:
            stamp = await read_stamp(connection)
        assert stamp is not None  # or this replica would not have started
        return stamp.names

    async def recall_once(self, key: IdempotencyKey) -> Outcomes | None:
        """What was written under a key."""
        return await self._once.recall(key)

    async def add_once(self, key: IdempotencyKey, packed: bytes, size: int) -> Outcomes:
        """Store EmbeddedMemories at their places, once."""
        memories: dict[int, EmbeddedMemory] = unpack(packed)
        return await self._once.add(key, memories, size)

    async def revise_once(
        self,
        key: IdempotencyKey,
        before: Memory,
        changes: MemoryChanges,
        now: datetime,
        chunks: tuple[Chunk, ...] | None,
        model: str,
    ) -> Written:
        """Change one memory, once."""
        return await self._once.revise(key, before, changes, now, chunks, model)

    async def forget_once(
        self,
        key: IdempotencyKey,
        memory_id: UUID,
        agent_id: str | None,
        expected: frozenset[int] | None,
    ) -> bool:
        """Delete one memory, once."""
        return await self._once.forget(key, memory_id, agent_id, expected)

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Serve's question, once in a second or two: what it does not see."""
        return {CALLS_IN_FLIGHT: self.direct_calls_in_flight}

    async def check_database(self) -> None:
        """Return when the database answers."""
        await self._memories.check_health()

    def check_health(self) -> None:
        """Serve's health check: the gauge job lives; the database's health is not ours."""
        self._schedule.check()

    async def _gauge_pool(self) -> None:
        in_use, idle = pool_usage(self._pool)
        self._meter.gauge("db_pool_in_use", in_use)
        self._meter.gauge("db_pool_idle", idle)
