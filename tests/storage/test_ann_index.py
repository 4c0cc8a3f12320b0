import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr

from serve_app.core.ranking import RankingPolicy
from serve_app.settings import IndexKind, Settings
from serve_app.storage.ann_index import choose_lists, switch_index, tend_index
from serve_app.storage.connection import open_pool
from serve_app.storage.memories import PostgresMemories
from tests.storage.corpus import brute_force, load_corpus, make_corpus, make_search

SIZES = [5, 300]
MEMORIES = sum(SIZES)

INDEXES = """
select format('%s %s %s', a.amname, x.indisvalid, array_to_string(c.reloptions, ','))
from pg_index x join pg_class c on c.oid = x.indexrelid join pg_am a on a.oid = c.relam
where x.indrelid = 'memory_vectors'::regclass and a.amname in ('ivfflat', 'hnsw')"""


@pytest.fixture
async def connection(fresh_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(fresh_dsn)
    yield connection
    await connection.close()


async def indexes(connection: asyncpg.Connection) -> list[str]:
    return [row[0] for row in await connection.fetch(INDEXES)]


async def test_no_index_before_it_pays(fresh_dsn: str, connection: asyncpg.Connection) -> None:
    assert await tend_index(connection, "ivfflat", 0, 200) is False
    await load_corpus(fresh_dsn, make_corpus(SIZES, seed=2))
    assert await tend_index(connection, "ivfflat", 10_000, 200) is False
    assert await tend_index(connection, "ivfflat", 100, 10_000) is False
    assert await indexes(connection) == []


async def test_ivfflat_is_built_once_and_again_when_the_table_has_doubled(
    fresh_dsn: str, connection: asyncpg.Connection
) -> None:
    await load_corpus(fresh_dsn, make_corpus(SIZES, seed=2))
    assert await tend_index(connection, "ivfflat", 100, 200) is True
    assert await tend_index(connection, "ivfflat", 100, 200) is False
    await connection.execute("update ann_index set rows_at_build = rows_at_build / 3")
    assert await tend_index(connection, "ivfflat", 100, 200) is True
    assert await indexes(connection) == ["ivfflat t lists=10"]
    assert await connection.fetchval("select kind from ann_index") == "ivfflat"


async def test_another_kind_replaces_the_index(
    fresh_dsn: str, connection: asyncpg.Connection
) -> None:
    await load_corpus(fresh_dsn, make_corpus(SIZES, seed=2))
    assert await tend_index(connection, "ivfflat", 100, 200) is True
    assert await tend_index(connection, "hnsw", 100, 200) is True
    assert await indexes(connection) == ["hnsw t m=20,ef_construction=100"]
    await connection.execute("update ann_index set rows_at_build = 1")
    assert await tend_index(connection, "hnsw", 100, 200) is False
    assert await connection.fetchval("select rows_at_build from ann_index") > MEMORIES


async def test_many_maintainers_build_one_index(
    fresh_dsn: str, connection: asyncpg.Connection
) -> None:
    await load_corpus(fresh_dsn, make_corpus(SIZES, seed=2))
    pool = await asyncpg.create_pool(fresh_dsn, min_size=4, max_size=4)

    async def tend() -> bool:
        async with pool.acquire() as own:
            return await tend_index(own, "ivfflat", 100, 200)

    try:
        assert sum(await asyncio.gather(*(tend() for _ in range(4)))) == 1
    finally:
        await pool.close()
    assert len(await indexes(connection)) == 1


async def test_what_a_failed_build_left_is_dropped(
    fresh_dsn: str, connection: asyncpg.Connection
) -> None:
    await load_corpus(fresh_dsn, make_corpus(SIZES, seed=2))
    await connection.execute(
        "create index memory_vectors_left on memory_vectors using ivfflat "
        "(embedding halfvec_cosine_ops) with (lists = 2) where active"
    )
    await connection.execute(
        "update pg_index set indisvalid = false where indexrelid = 'memory_vectors_left'::regclass"
    )
    assert await tend_index(connection, "ivfflat", 100, 200) is True
    assert await indexes(connection) == ["ivfflat t lists=10"]


@pytest.mark.parametrize("kind", ["ivfflat", "hnsw"])
async def test_a_switch_builds_at_once_and_tells_so(
    fresh_dsn: str, connection: asyncpg.Connection, kind: IndexKind
) -> None:
    await load_corpus(fresh_dsn, make_corpus(SIZES, seed=2))
    told: list[str] = []
    await switch_index(fresh_dsn, kind, told.append)
    assert told
    assert [index.split()[0] for index in await indexes(connection)] == [kind]


@pytest.mark.parametrize(
    ("rows", "lists"), [(0, 10), (20_000, 20), (1_000_000, 1_000), (4_000_000, 2_000)]
)
def test_lists_grow_with_the_rows(rows: int, lists: int) -> None:
    assert choose_lists(rows) == lists


async def test_what_was_said_last_wins(fresh_dsn: str, connection: asyncpg.Connection) -> None:
    await load_corpus(fresh_dsn, make_corpus(SIZES, seed=2))
    assert await tend_index(connection, "ivfflat", 100, 200) is True
    await switch_index(fresh_dsn, "hnsw", lambda line: None)
    for _ in range(2):
        assert await tend_index(connection, "ivfflat", 100, 200) is False
    await switch_index(fresh_dsn, "ivfflat", lambda line: None)
    assert await tend_index(connection, "ivfflat", 100, 200) is False
    assert await tend_index(connection, "hnsw", 100, 200) is True
    assert await tend_index(connection, "ivfflat", 100, 200) is True


async def test_a_table_that_was_never_analysed_has_no_estimate_and_waits(
    fresh_dsn: str, connection: asyncpg.Connection
) -> None:
    await load_corpus(fresh_dsn, make_corpus(SIZES, seed=2))
    await connection.execute(
        "update pg_class set reltuples = -1 where oid = 'memory_vectors'::regclass"
    )
    assert await tend_index(connection, "ivfflat", 1, 200) is False


async def test_searches_stay_right_while_the_index_is_switched(fresh_dsn: str) -> None:
    corpus = make_corpus(SIZES, seed=2)
    await load_corpus(fresh_dsn, corpus)
    settings = Settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1, exact_scope_rows=100)
    pool = await open_pool(settings)
    search = make_search(1, corpus.vectors[-1], RankingPolicy(), 10)
    truth = [memory_id for memory_id, _ in brute_force(corpus, search, 1)]
    wrong: list[object] = []
    answered = asyncio.Event()
    switched = asyncio.Event()

    async def keep_searching() -> None:
        memories = PostgresMemories(pool, settings)
        while not switched.is_set():
            found = [candidate.memory.id for candidate in await memories.search(search)]
            wrong.extend([found] if found != truth else [])
            answered.set()

    try:
        searching = [asyncio.create_task(keep_searching()) for _ in range(3)]
        for kind in ("ivfflat", "hnsw", "ivfflat"):
            answered.clear()
            await switch_index(fresh_dsn, kind, lambda line: None)
            await answered.wait()
        switched.set()
        await asyncio.gather(*searching)
    finally:
        await pool.close()
    assert wrong == []
