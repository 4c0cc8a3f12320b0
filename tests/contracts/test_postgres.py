"""Postgres keeps the contract that the fakes keep; and many summarisers are harmless on it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from serve_app.core.memory import Status
from serve_app.core.page import MemoryFilter
from serve_app.core.summary import SummaryRules
from serve_app.core.usage import OwnLimits, Quota
from serve_app.language.sentences import Sentences
from serve_app.operations.summarise import SummaryReport, summarise
from serve_app.settings import Settings, load_settings
from serve_app.storage.connection import Pool, open_pool
from serve_app.storage.keys import PostgresKeys
from serve_app.storage.limits import PostgresLimits
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.once import PostgresOnce
from serve_app.storage.ranking_defaults import PostgresRankingDefaults
from serve_app.storage.summaries import PostgresSummaries
from serve_app.storage.tokens import PostgresTokens
from tests.contracts.dedupe_contract import DedupeContract, DedupeOnceContract
from tests.contracts.keys_contract import KeysContract
from tests.contracts.limits_contract import LimitsContract, SetQuota
from tests.contracts.memories_contract import MemoriesContract
from tests.contracts.once_contract import OnceContract
from tests.contracts.ranking_defaults_contract import RankingDefaultsContract
from tests.contracts.recall_contract import RecallContract
from tests.contracts.samples import SCOPE, sample, store
from tests.contracts.summaries_contract import SummariesContract
from tests.contracts.tokens_contract import TokensContract
from tests.fakes.world import World
from tests.operations.fleet import Clock
from tests.storage.owner import execute

SUMMARISERS = 8


@pytest.fixture
def settings(fresh_dsn: str) -> Settings:
    return load_settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1, db_max_pool_size=4)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    pool = await open_pool(settings)
    yield pool
    await pool.close()


@pytest.fixture
def memories(pool: Pool, settings: Settings) -> PostgresMemories:
    return PostgresMemories(pool, settings)


@pytest.fixture
async def summaries(settings: Settings) -> AsyncIterator[PostgresSummaries]:
    pool = await open_pool(settings, "fleetmem_maintenance")
    yield PostgresSummaries(pool)
    await pool.close()


@pytest.fixture
def keys(pool: Pool) -> PostgresKeys:
    return PostgresKeys(pool)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tokens(pool: Pool, clock: Clock, other_tenant: None) -> PostgresTokens:
    return PostgresTokens(pool, clock)


@pytest.fixture
async def limits(pool: Pool, other_tenant: None) -> PostgresLimits:
    return PostgresLimits(pool)


@pytest.fixture
def defaults(pool: Pool, other_tenant: None) -> PostgresRankingDefaults:
    return PostgresRankingDefaults(pool)


@pytest.fixture
def set_quota(limits: PostgresLimits) -> SetQuota:
    async def set_quota(quota: Quota) -> None:
        await limits.change(SCOPE.tenant_id, OwnLimits(quota=quota))

    return set_quota


@pytest.fixture
async def other_tenant(fresh_dsn: str) -> None:
    await execute(fresh_dsn, "insert into tenants (tenant_id, name) values (2, 'other')")


class TestPostgresMemories(MemoriesContract, DedupeContract, RecallContract):
    """Memories in Postgres."""


class TestPostgresSummaries(SummariesContract):
    """Summaries in Postgres."""


@pytest.fixture
def once(pool: Pool, memories: PostgresMemories) -> PostgresOnce:
    return PostgresOnce(pool, memories)


class TestPostgresOnce(OnceContract, DedupeOnceContract):
    """Outcomes under idempotency keys in Postgres."""


class TestPostgresKeys(KeysContract):
    """Tenants and keys in Postgres."""


class TestPostgresRankingDefaults(RankingDefaultsContract):
    """Defaults in Postgres."""


class TestPostgresTokens(TokensContract):
    """Windows in Postgres."""


class TestPostgresLimits(LimitsContract):
    """Quotas in Postgres."""


async def tick(memories: PostgresMemories, settings: Settings) -> SummaryReport:
    """One summariser, with a pool of its own as in a process of its own."""
    world = World(now=sample().created_at)
    pool = await open_pool(settings, "fleetmem_maintenance")
    try:
        return await summarise(
            replace(world.ports, memories=memories, new_id=lambda: sample().id),
            PostgresSummaries(pool),
            Sentences(),
            SummaryRules(threshold=100, batch_size=50),
            60,
        )
    finally:
        await pool.close()


async def test_many_summarisers_make_one_summary_of_each_batch(
    memories: PostgresMemories, settings: Settings
) -> None:
    old = await store(memories, [sample(f"The order {4000 + n} came.") for n in range(201)])
    narrow = settings.model_copy(update={"db_max_pool_size": 2})
    reports = await asyncio.gather(*(tick(memories, narrow) for _ in range(SUMMARISERS)))
    assert sum(report.memories_folded for report in reports) == 150
    assert sum(report.outcomes.get("folded", 0) for report in reports) >= 1
    assert not any("error" in report.outcomes for report in reports)
    page = await memories.page(MemoryFilter(1), 300, None)
    made = sorted((m for m in page.memories if m.sources), key=lambda m: m.occurred_at)
    assert [source for m in made for source in m.sources] == [m.id for m in old[:150]]
    assert await memories.count(SCOPE) == 51 + 3
    told = " ".join(m.content for m in made)
    assert all(str(4000 + n) in told for n in range(150))
    archived = await memories.page(MemoryFilter(1, status=Status.ARCHIVED), 300, None)
    assert len(archived.memories) == 150
