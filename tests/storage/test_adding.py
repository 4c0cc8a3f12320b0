"""What the contract does not say of dedupe: many at once, several processes, quotas, plans."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from pydantic import SecretStr

from serve_app.core.errors import ModelChanged, QuotaExceeded
from serve_app.core.memory import EmbeddedMemory, Memory, Scope
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.settings import Settings
from serve_app.storage.connection import Pool, open_pool
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.migrate import connected
from serve_app.storage.model_stamp import adopt_model
from serve_app.storage.once import PostgresOnce
from tests.contracts.samples import EMBEDDER, SCOPE, embed, sample, store
from tests.storage.owner import execute

PROCESSES = 3
TEXTS = [f"Order {4000 + number} came." for number in range(40)]


@pytest.fixture
async def pools(fresh_dsn: str) -> AsyncIterator[list[Pool]]:
    """One of each process."""
    settings = Settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1, db_max_pool_size=6)
    async with AsyncExitStack() as stack:
        pools = [await open_pool(settings) for _ in range(PROCESSES)]
        for pool in pools:
            stack.push_async_callback(pool.close)
        yield pools


@pytest.fixture
def stores(pools: list[Pool]) -> list[PostgresMemories]:
    return [PostgresMemories(pool, Settings()) for pool in pools]


def asking(text: str, scope: Scope = SCOPE) -> EmbeddedMemory:
    return replace(embed(sample(text, scope)), dedupe=True)


async def test_of_many_at_once_in_several_processes_one_is_stored(
    stores: list[PostgresMemories],
) -> None:
    outcomes = await asyncio.gather(
        *(stores[number % PROCESSES].add([asking("rain")]) for number in range(24))
    )
    told = {memory.id for [memory] in outcomes if isinstance(memory, Memory)}
    assert len(told) == 1
    assert await stores[0].count(SCOPE) == 1


async def test_lists_in_any_order_wait_for_one_another_but_not_in_a_circle(
    stores: list[PostgresMemories],
) -> None:
    lists = [TEXTS[turn:] + TEXTS[:turn] for turn in range(0, 40, 5)]
    lists += [given[::-1] for given in lists]
    outcomes = await asyncio.gather(
        *(
            stores[number % PROCESSES].add([asking(text) for text in given])
            for number, given in enumerate(lists)
        )
    )
    for given, outcome in zip(lists, outcomes, strict=True):
        assert [memory.content for memory in outcome if isinstance(memory, Memory)] == given
    assert await stores[0].count(SCOPE) == len(TEXTS)


async def test_under_keys_what_is_refused_lets_no_two_wait_for_each_other(
    stores: list[PostgresMemories], pools: list[Pool], fresh_dsn: str
) -> None:
    await execute(fresh_dsn, "insert into tenant_limits (tenant_id, max_memories) values (1, 20)")

    async def write(number: int) -> list[object]:
        given = TEXTS if number % 2 else TEXTS[::-1]
        once = PostgresOnce(pools[number % PROCESSES], stores[number % PROCESSES])
        key = IdempotencyKey(1, str(number), b"digest")
        asked = {place: asking(text) for place, text in enumerate(given)}
        return [*await once.add(key, asked, len(given))]

    outcomes = await asyncio.gather(*(write(number) for number in range(6)))
    for outcome in outcomes:
        assert sum(isinstance(each, Written) for each in outcome) == 20
        assert sum(isinstance(each, QuotaExceeded) for each in outcome) == 20
    assert await stores[0].count(SCOPE) == 20


async def test_a_full_tenant_is_told_what_is_there(
    stores: list[PostgresMemories], fresh_dsn: str
) -> None:
    memories = stores[0]
    [rain] = await store(memories, [sample("rain")])
    await execute(fresh_dsn, "insert into tenant_limits (tenant_id, max_memories) values (1, 1)")
    for _ in range(2):
        outcomes = await memories.add([embed(sample("rain")), asking("rain"), asking("sun")])
        assert [isinstance(outcome, QuotaExceeded) for outcome in outcomes] == [True, False, True]
        assert outcomes[1] == rain


async def test_tenants_share_a_statement_but_no_memory(
    stores: list[PostgresMemories], fresh_dsn: str
) -> None:
    await execute(fresh_dsn, "insert into tenants (tenant_id, name) values (2, 'other')")
    theirs = Scope(2, SCOPE.agent_id, SCOPE.user_id)
    mine, other = asking("rain"), asking("rain", theirs)
    assert await stores[0].add([other, mine]) == [other.memory, mine.memory]
    again = [asking("rain"), asking("rain", theirs), asking("rain")]
    assert await stores[0].add(again) == [mine.memory, other.memory, mine.memory]


async def test_vectors_of_another_model_are_refused(
    stores: list[PostgresMemories], fresh_dsn: str
) -> None:
    async with connected(fresh_dsn) as connection:
        await adopt_model(connection, EMBEDDER.model, 384)
    [outcome] = await stores[0].add([replace(asking("rain"), model="another")])
    assert isinstance(outcome, ModelChanged)


async def test_a_text_of_common_words_is_found_among_many_of_the_same_words(
    stores: list[PostgresMemories],
) -> None:
    await store(stores[0], [sample("Red tea.") for _ in range(300)])
    one = asking("Tea, red.")
    assert await stores[0].add([one]) == [one.memory]
    assert await stores[0].add([asking("Tea, red.")]) == [one.memory]
    assert await stores[0].count(SCOPE) == 301
