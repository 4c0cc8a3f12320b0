"""How Postgres answers inside the functions: from which index, and with the formula inlined."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import numpy as np
import pytest
from pgvector import HalfVector
from pgvector.asyncpg import register_vector

from serve_app.core.ranking import RankingPolicy, recency, score
from serve_app.settings import IndexKind
from serve_app.storage.ann_index import switch_index
from serve_app.storage.queries import query
from tests.storage.corpus import NOW, load_corpus, make_corpus

CORPUS = make_corpus([20, 3_000], seed=9)
LARGE = "user-1"
EXACT_ROWS = 500


@pytest.fixture(scope="module")
def loaded_dsn(module_dsn: str) -> str:
    asyncio.run(load_corpus(module_dsn, CORPUS))
    return module_dsn


@pytest.fixture
async def connection(loaded_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(loaded_dsn)
    await register_vector(connection)
    yield connection
    await connection.close()


async def plans_of(connection: asyncpg.Connection, statement: str, *values: object) -> str:
    """The plans of a statement and of all that its functions run, as they were run."""
    told: list[str] = []
    connection.add_log_listener(lambda _, message: told.append(message.message))
    await connection.execute(
        """load 'auto_explain'; set auto_explain.log_min_duration = 0;
        set auto_explain.log_nested_statements = on; set auto_explain.log_level = notice;
        set auto_explain.log_analyze = on; set auto_explain.log_verbose = on"""
    )
    await connection.fetch(statement, *values)
    return "\n".join(told)


def search_values(user: str, kind: str | None) -> list[object]:
    """The parameters of search_memories.sql for one search."""
    weights = [[0.7], [0.3], [0.0], [30.0]]
    vectors = [HalfVector(CORPUS.vectors[-1])]
    return [[1], ["agent"], [user], vectors, [10], *weights, [NOW], [kind], EXACT_ROWS, ""]


async def search_plans(connection: asyncpg.Connection, user: str, kind: str | None) -> str:
    return await plans_of(connection, query("search_memories"), *search_values(user, kind))


async def make_index_look_cheap(dsn: str) -> None:
    """This scope holds nearly all that there is: without this no index would be asked."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("update ann_index set rows_at_build = 10")
    await connection.close()


@pytest.mark.parametrize("kind", [None, "episodic"])
@pytest.mark.parametrize("user", ["user-0", LARGE])
async def test_a_scope_is_ranked_in_full_from_one_index(
    connection: asyncpg.Connection, user: str, kind: str | None
) -> None:
    plans = await search_plans(connection, user, kind)
    assert "Index Only Scan using memory_vectors_ranked" in plans
    assert "Heap Fetches: 0" in plans
    assert "Seq Scan on public.memor" not in plans


@pytest.mark.parametrize("index", ["ivfflat", "hnsw"])
@pytest.mark.parametrize("kind", [None, "episodic"])
async def test_a_large_scope_is_searched_through_the_vector_index(
    loaded_dsn: str, index: IndexKind, kind: str | None
) -> None:
    await switch_index(loaded_dsn, index, lambda line: None)
    await make_index_look_cheap(loaded_dsn)
    # A fresh connection: its settings must take effect before pgvector's library is loaded.
    connection = await asyncpg.connect(loaded_dsn)
    try:
        await register_vector(connection)
        plans = await search_plans(connection, LARGE, kind)
        settings = await connection.fetchval("show hnsw.iterative_scan")
    finally:
        await connection.close()
    assert f"Index Scan using memory_vectors_{index}_" in plans
    assert "Index Only Scan using memory_vectors_ranked" in plans
    assert "Seq Scan on public.memor" not in plans
    assert settings == "off", "what a function sets ends with it"


@pytest.mark.parametrize("index", ["ivfflat", "hnsw"])
async def test_a_scope_is_ranked_in_full_where_an_index_would_read_more(
    loaded_dsn: str, connection: asyncpg.Connection, index: IndexKind
) -> None:
    await switch_index(loaded_dsn, index, lambda line: None)
    if index == "hnsw":
        await connection.execute("update ann_index set rows_at_build = 10000")
    assert f"memory_vectors_{index}_" not in await search_plans(connection, LARGE, None)


async def test_an_ordinary_role_searches_through_the_vector_index(loaded_dsn: str) -> None:
    await switch_index(loaded_dsn, "hnsw", lambda line: None)
    connection = await asyncpg.connect(loaded_dsn)
    try:
        await connection.execute(
            "create role plain; grant select on all tables in schema public to plain;set role plain"
        )
        await register_vector(connection)
        found = await connection.fetch(query("search_memories"), *search_values(LARGE, None))
        assert len(found) == 10
    finally:
        await connection.execute("reset role; drop owned by plain; drop role plain")
        await connection.close()


async def test_crowded_scopes_are_found_in_the_partial_indexes(
    connection: asyncpg.Connection,
) -> None:
    await connection.execute("set enable_seqscan = off")
    await connection.execute("set plan_cache_mode = force_generic_plan")
    plans = await plans_of(connection, query("crowded_scopes"), 100, 10)
    assert "memories_foldable" in plans
    assert "memories_summaries" in plans
    assert "Seq Scan on public.memories" not in plans


async def test_the_formula_is_that_of_the_core(connection: asyncpg.Connection) -> None:
    random = np.random.default_rng(1)
    similarity, importance = random.uniform(-1, 1, 200), random.random(200)
    ages = np.round(random.uniform(-5, 900, 200), 6)
    for policy in (RankingPolicy(), RankingPolicy(0.6, 0.1, 0.3, 7.0), RankingPolicy(0, 1, 0)):
        weights = [policy.similarity_weight, policy.recency_weight, policy.importance_weight]
        rows = await connection.fetch(
            """select combined_score(s, at, i, $4, $5, $6) as score
            from unnest($1::float8[], $2::timestamptz[], $3::float8[]) with ordinality
              as g (s, at, i, number) order by number""",
            similarity.tolist(),
            [NOW - timedelta(days=float(age)) for age in ages],
            importance.tolist(),
            weights,
            policy.half_life_days,
            NOW,
        )
        fresh = recency(np.maximum(ages, 0.0), policy.half_life_days)
        ours = score(similarity, fresh, importance, policy)
        assert np.allclose([row["score"] for row in rows], ours, atol=1e-9, rtol=0)


async def test_the_formula_is_inlined(connection: asyncpg.Connection) -> None:
    plans = await search_plans(connection, "user-0", None)
    steps = [line for line in plans.splitlines() if "Sort Key" in line or "Output" in line]
    assert any("power(" in step for step in steps)
    assert not any("combined_score(" in step for step in steps)


async def test_a_count_reads_one_index_and_no_memory(connection: asyncpg.Connection) -> None:
    await connection.execute("set enable_seqscan = off")
    await connection.execute("set plan_cache_mode = force_generic_plan")
    plans = await plans_of(connection, query("count_memories"), 1, "agent", LARGE)
    assert "Index Only Scan using memories_active" in plans
    assert "Heap Fetches: 0" in plans


async def test_joined_searches_keep_the_plan_of_each_scope(connection: asyncpg.Connection) -> None:
    """A generic plan for many scopes at once must not read the table for any of them."""
    joined = [
        value * 2 if isinstance(value, list) else value for value in search_values(LARGE, None)
    ]
    joined[2] = ["user-0", LARGE]
    for _ in range(6):
        await connection.fetch(query("search_memories"), *joined)
    plans = await plans_of(connection, query("search_memories"), *joined)
    assert plans.count("Index Only Scan using memory_vectors_ranked") >= 2
    assert "Seq Scan on public.memor" not in plans


async def test_a_twin_is_found_by_words_and_ids(connection: asyncpg.Connection) -> None:
    plans = await plans_of(
        connection, "select find_twin(2, 'episodic', $1, 'memory 2000')", b"no such content"
    )
    assert plans.count("using memory_words_pkey on public.memory_words") == 2
    assert "Index Scan using memories_pkey on public.memories" in plans
    assert "Seq Scan on public.memor" not in plans
    assert "Sort Key: w.memory_id" not in plans
