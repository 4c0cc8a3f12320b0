"""What the contract of the port does not say: several tenants, bad rows, plans."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import pytest
from pydantic import SecretStr

from serve_app.core.errors import InvalidInput
from serve_app.core.memory import Chunk, EmbeddedMemory, Kind, Memory, Scope
from serve_app.core.page import MemoryFilter
from serve_app.core.ranking import RankingPolicy
from serve_app.settings import Settings
from serve_app.storage.connection import Pool, acquired, open_pool
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.queries import query
from tests.storage.corpus import NOW, id_of, load_corpus, make_corpus, make_search, scope_of
from tests.storage.owner import execute

CORPUS = make_corpus([40, 400], seed=3)


@pytest.fixture
async def pool(fresh_dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(Settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1))
    yield pool
    await pool.close()


@pytest.fixture
def memories(pool: Pool) -> PostgresMemories:
    return PostgresMemories(pool, Settings())


def embedded(number: int, scope: Scope, content: str = "text") -> EmbeddedMemory:
    memory = Memory(id_of(number), scope, content, Kind.EPISODIC, 0.5, NOW, NOW, NOW)
    return EmbeddedMemory(memory, (Chunk(0, len(content), CORPUS.vectors[number]),), "m")


async def test_adding_again_tells_what_is_stored_whatever_the_tenant(
    memories: PostgresMemories, fresh_dsn: str
) -> None:
    await execute(fresh_dsn, "insert into tenants (name) values ('second')")
    first, second = embedded(1, Scope(1, "a", "u")), embedded(2, Scope(2, "a", "u"))
    assert await memories.add([first, second]) == [first.memory, second.memory]
    again = [
        replace(each, memory=replace(each.memory, content="changed")) for each in (first, second)
    ]
    assert await memories.add(again) == [first.memory, second.memory]


async def test_an_id_of_another_tenant_is_not_taken_for_stored(
    memories: PostgresMemories, fresh_dsn: str
) -> None:
    await execute(fresh_dsn, "insert into tenants (name) values ('second')")
    first, second = embedded(1, Scope(1, "a", "u"), "one"), embedded(1, Scope(2, "a", "u"), "two")
    assert await memories.add([first]) == [first.memory]
    assert await memories.add([second]) == [second.memory]
    assert await memories.add([second, first]) == [second.memory, first.memory]
    assert await memories.get(1, id_of(1)) == first.memory
    assert await memories.get(2, id_of(1)) == second.memory


async def test_the_same_id_twice_in_one_call_is_stored_once(memories: PostgresMemories) -> None:
    scope = Scope(1, "a", "u")
    first, second = embedded(1, scope, "first"), embedded(1, scope, "second")
    outcomes = await memories.add([first, second])
    assert outcomes == [await memories.get(1, first.memory.id)] * 2


async def test_one_refused_row_does_not_take_the_others(memories: PostgresMemories) -> None:
    scope = Scope(1, "a", "u")
    bad = embedded(2, scope)
    bad = replace(bad, memory=replace(bad.memory, importance=7.0))
    outcomes = await memories.add([embedded(1, scope), bad, embedded(3, scope)])
    assert isinstance(outcomes[1], InvalidInput)
    assert await memories.count(scope) == 2


async def test_another_tenant_finds_and_lists_nothing(
    memories: PostgresMemories, fresh_dsn: str
) -> None:
    await load_corpus(fresh_dsn, CORPUS)
    search = make_search(0, CORPUS.vectors[0], policy=RankingPolicy())
    assert len(await memories.search(search)) == 10
    foreign = replace(search, scope=replace(search.scope, tenant_id=2))
    assert await memories.search(foreign) == []
    where = MemoryFilter(2, agent_id="agent", user_id="user-0")
    assert (await memories.page(where, 10, None)).memories == ()


@pytest.mark.parametrize("user_id", ["user-0", None])
async def test_pages_walk_through_everything_newest_first(
    memories: PostgresMemories, fresh_dsn: str, user_id: str | None
) -> None:
    await load_corpus(fresh_dsn, CORPUS)
    where = MemoryFilter(1, agent_id="agent", user_id=user_id)
    walked: list[UUID] = []
    after: UUID | None = None
    while True:
        page = await memories.page(where, 17, after)
        walked += [memory.id for memory in page.memories]
        after = page.next_after
        if after is None:
            break
    count = 40 if user_id else 440
    assert walked == [id_of(number) for number in reversed(range(count))]
    if user_id:
        assert {memory.scope for memory in page.memories} == {scope_of(0)}


async def test_a_page_of_one_scope_reads_that_scopes_index(pool: Pool, fresh_dsn: str) -> None:
    await load_corpus(fresh_dsn, CORPUS)
    async with acquired(pool) as connection:
        await connection.execute("set enable_seqscan = off")
        await connection.execute("set plan_cache_mode = force_generic_plan")
        types = "int, text, text, text, text, timestamptz, timestamptz, uuid, bigint"
        await connection.execute(f"prepare listing({types}) as {query('page_scope')}")
        plan = await connection.fetch(
            "explain execute listing(1, 'agent', 'user-0', null, null, null, null, null, 10)"
        )
    text = "\n".join(row[0] for row in plan)
    assert "memories_by_scope" in text
    assert "Sort" not in text.partition("Limit")[2]


async def test_the_same_batch_in_both_orders_at_once_is_stored_once(
    memories: PostgresMemories,
) -> None:
    scope = Scope(1, "a", "u")
    batch = [embedded(number, scope) for number in range(200)]
    outcomes = await asyncio.gather(
        *(memories.add(batch[:: 1 if turn % 2 else -1]) for turn in range(8))
    )
    expected = [one.memory for one in batch]
    assert outcomes == [expected[:: 1 if turn % 2 else -1] for turn in range(8)]
    assert await memories.count(scope) == 200
