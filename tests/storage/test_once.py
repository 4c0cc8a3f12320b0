"""What the contract of the port does not say: many at once, refused rows, quotas, old keys."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest
from pydantic import SecretStr

from serve_app.core.errors import InvalidInput, ModelChanged, QuotaExceeded, StillRunning
from serve_app.core.memory import MemoryChanges
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.settings import Settings
from serve_app.storage.connection import Pool, open_pool
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.migrate import connected
from serve_app.storage.model_stamp import adopt_model
from serve_app.storage.once import PURGED_AT_ONCE, PostgresOnce, purge_outcomes
from tests.contracts.once_contract import LATER
from tests.contracts.samples import EMBEDDER, SCOPE, embed, sample, store
from tests.storage.owner import execute

KEY = IdempotencyKey(1, "key", b"digest")


@pytest.fixture
def settings(fresh_dsn: str) -> Settings:
    return Settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    pool = await open_pool(settings)
    yield pool
    await pool.close()


@pytest.fixture
def memories(pool: Pool) -> PostgresMemories:
    return PostgresMemories(pool, Settings())


@pytest.fixture
def once(pool: Pool, memories: PostgresMemories) -> PostgresOnce:
    return PostgresOnce(pool, memories)


async def until_the_key_is_free(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("select pg_advisory_lock(hashtextextended('key', 1))")
    finally:
        await connection.close()


async def test_of_twenty_at_once_one_writes(once: PostgresOnce, memories: PostgresMemories) -> None:
    outcomes = await asyncio.gather(
        *(once.add(KEY, {0: embed(sample())}, 1) for _ in range(20)), return_exceptions=True
    )
    told = [outcome for outcome in outcomes if isinstance(outcome, list)]
    assert all(isinstance(o, StillRunning) for o in outcomes if o not in told)
    written = [each for outcome in told for each in outcome if isinstance(each, Written)]
    assert sum(not each.is_replayed for each in written) == 1
    assert len({each.memory.id for each in written}) == 1
    assert await memories.count(SCOPE) == 1


async def test_who_cannot_claim_the_key_does_not_wait(
    once: PostgresOnce, memories: PostgresMemories, fresh_dsn: str
) -> None:
    other = await asyncpg.connect(fresh_dsn)
    await other.execute("begin; select pg_advisory_xact_lock(hashtextextended('key', 1))")
    with pytest.raises(StillRunning):
        await once.add(KEY, {0: embed(sample())}, 1)
    assert await once.recall(KEY) is None
    # As of a process that is killed: its key is free.
    other.terminate()
    await until_the_key_is_free(fresh_dsn)
    assert await once.add(KEY, {0: embed(sample())}, 1)
    assert await memories.count(SCOPE) == 1


async def test_a_refused_row_fails_alone(once: PostgresOnce, memories: PostgresMemories) -> None:
    good = sample()
    outcomes = await once.add(KEY, {0: embed(good), 1: embed(sample(importance=7.0))}, 2)
    assert outcomes[0] == Written(good)
    assert isinstance(outcomes[1], InvalidInput)
    assert await memories.count(SCOPE) == 1
    assert await once.recall(KEY) == [Written(good, is_replayed=True), None]


async def test_a_full_tenant_writes_what_there_is_room_for(
    once: PostgresOnce, memories: PostgresMemories, fresh_dsn: str
) -> None:
    await execute(fresh_dsn, "insert into tenant_limits (tenant_id, max_memories) values (1, 1)")
    outcomes = await once.add(KEY, {0: embed(sample()), 1: embed(sample())}, 2)
    assert isinstance(outcomes[0], Written)
    assert isinstance(outcomes[1], QuotaExceeded)
    assert await memories.count(SCOPE) == 1


async def test_old_keys_go_and_new_ones_stay(
    once: PostgresOnce, settings: Settings, fresh_dsn: str
) -> None:
    await once.add(KEY, {0: embed(sample())}, 1)
    await execute(
        fresh_dsn,
        """insert into tenants (name) values ('second');
        insert into idempotency_keys (tenant_id, key, digest, outcomes, created_at)
        select 2, n::text, '', '[]', now() - interval '25 hours'
        from generate_series(0, 1000) n""",
    )
    pool = await open_pool(settings, "fleetmem_maintenance")
    try:
        assert await purge_outcomes(pool, 24) == PURGED_AT_ONCE + 1
        assert await purge_outcomes(pool, 24) == 0
    finally:
        await pool.close()
    assert await once.recall(KEY) is not None
    assert await once.recall(replace(KEY, tenant_id=2, key="1")) is None


async def test_vectors_of_another_model_are_refused_and_nothing_is_kept(
    once: PostgresOnce, memories: PostgresMemories, fresh_dsn: str
) -> None:
    async with connected(fresh_dsn) as connection:
        await adopt_model(connection, EMBEDDER.model, 384)
    stale = replace(embed(sample()), model="another")
    with pytest.raises(ModelChanged):
        await once.add(KEY, {0: stale}, 1)
    [memory] = await store(memories, [sample()])
    sun = MemoryChanges("sun")
    with pytest.raises(ModelChanged):
        await once.revise(KEY, memory, sun, LATER, stale.chunks, "another")
    assert await once.recall(KEY) is None
    assert await memories.count(SCOPE) == 1
