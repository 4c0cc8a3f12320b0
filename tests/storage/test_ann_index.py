import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from serve_app.settings import IndexKind
from serve_app.storage.ann_index import choose_lists, switch_index, tend_index
from tests.storage.corpus import load_corpus, make_corpus

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
    assert await indexes(connection) == ["hnsw t m=16,ef_construction=64"]
    await connection.execute("update ann_index set rows_at_build = 1")
    assert await tend_index(connection, "hnsw", 100, 200) is False


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
