"""The true top-k, whatever the weights, the size of the scope and the kind of index."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import numpy as np
import pytest
from pydantic import SecretStr

from serve_app.core.memory import Kind
from serve_app.core.ranking import RankingPolicy, rank
from serve_app.core.search import VectorSearch
from serve_app.settings import IndexKind, Settings
from serve_app.storage.ann_index import switch_index
from serve_app.storage.connection import open_pool
from serve_app.storage.memories import PostgresMemories
from tests.storage.corpus import (
    KINDS,
    NOW,
    Corpus,
    brute_force,
    load_corpus,
    make_corpus,
    make_search,
    question,
)

SCOPE_SIZES = [10, 10, 30, 100, 300, 1_000, 3_000, 7_000, 19_000]
EXACT_ROWS = 2_000
ALPHAS = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return make_corpus(SCOPE_SIZES, seed=1)


async def make_index_look_cheap(dsn: str) -> None:
    """Let the index look cheap for every scope above EXACT_ROWS, so that it is asked for all."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("update ann_index set rows_at_build = 10")
    await connection.close()


@pytest.fixture(scope="module", params=["none", "ivfflat", "hnsw"])
def loaded_dsn(request: pytest.FixtureRequest, module_dsn: str, corpus: Corpus) -> str:
    """The rows once; the index of the parameter is built over them."""
    kind: IndexKind | str = request.param
    if kind == "none":
        asyncio.run(load_corpus(module_dsn, corpus))
    elif kind == "ivfflat":
        asyncio.run(switch_index(module_dsn, "ivfflat", lambda line: None))
        asyncio.run(make_index_look_cheap(module_dsn))
    else:
        asyncio.run(switch_index(module_dsn, "hnsw", lambda line: None))
        asyncio.run(make_index_look_cheap(module_dsn))
    return module_dsn


@pytest.fixture
async def memories(loaded_dsn: str) -> AsyncIterator[PostgresMemories]:
    settings = Settings(
        database_url=SecretStr(loaded_dsn), db_min_pool_size=1, exact_scope_rows=EXACT_ROWS
    )
    pool = await open_pool(settings)
    yield PostgresMemories(pool, settings)
    await pool.close()


async def share_of_truth(
    memories: PostgresMemories, corpus: Corpus, searches: list[tuple[int, VectorSearch]]
) -> float:
    """The mean share of the true best that was found; fails at once when any answer is short.

    A found memory counts when its score reaches the least true score: ties are as good.
    """
    found = await memories.search_many([search for _, search in searches])
    shares: list[float] = []
    for (number, search), candidates in zip(searches, found, strict=True):
        truth = brute_force(corpus, search, number)
        hits = rank(candidates, NOW, search.policy, search.top_k)
        assert len(hits) == len(truth), f"{len(hits)} of {len(truth)} in scope {number}"
        assert len({hit.memory.id for hit in hits}) == len(hits)
        if truth:
            good = sum(hit.score >= truth[-1][1] - 1e-6 for hit in hits)
            shares.append(good / len(truth))
    return float(np.mean(shares))


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("importance_weight", [0.0, 0.3])
async def test_the_combined_top_k_is_the_brute_force_one(
    memories: PostgresMemories, corpus: Corpus, alpha: float, importance_weight: float
) -> None:
    random = np.random.default_rng(int(alpha * 10))
    policy = RankingPolicy.from_alpha(alpha, 30.0, importance_weight)
    searches = [
        (number, make_search(number, question(corpus, random), policy, top_k))
        for number in range(len(SCOPE_SIZES))
        for top_k in (1, 10)
    ]
    assert await share_of_truth(memories, corpus, searches) >= 0.99


@pytest.mark.parametrize("kind", KINDS)
async def test_a_filtered_search_is_neither_short_nor_wrong(
    memories: PostgresMemories, corpus: Corpus, kind: Kind
) -> None:
    random = np.random.default_rng(7)
    policy = RankingPolicy.from_alpha(1.0, 30.0)
    searches = [
        (number, make_search(number, question(corpus, random), policy, 10, kind))
        for number in range(len(SCOPE_SIZES))
        for _ in range(3 if SCOPE_SIZES[number] < EXACT_ROWS else 15)
    ]
    assert await share_of_truth(memories, corpus, searches) >= 0.99


async def test_small_scopes_are_exact_to_the_order(
    memories: PostgresMemories, corpus: Corpus
) -> None:
    random = np.random.default_rng(11)
    for number in range(6):
        search = make_search(number, question(corpus, random), RankingPolicy(0.6, 0.1, 0.3), 50)
        candidates = await memories.search(search)
        hits = rank(candidates, NOW, search.policy, search.top_k)
        truth = brute_force(corpus, search, number)
        assert [hit.memory.id for hit in hits] == [memory_id for memory_id, _ in truth]
        assert [hit.score for hit in hits] == pytest.approx([s for _, s in truth], abs=1e-6)


async def test_alpha_zero_gives_the_most_recent(memories: PostgresMemories, corpus: Corpus) -> None:
    number = len(SCOPE_SIZES) - 1
    vector = question(corpus, np.random.default_rng(3))
    search = make_search(number, vector, RankingPolicy.from_alpha(0.0, 30.0), 25)
    hits = rank(await memories.search(search), NOW, search.policy, 25)
    rows = np.flatnonzero(corpus.scope == number)
    newest: dict[int, None] = {}
    for row in rows[np.argsort(corpus.ages[rows])]:
        newest[int(corpus.memory[row])] = None
    expected = [UUID(int=memory + 1) for memory in list(newest)[:25]]
    assert [hit.memory.id for hit in hits] == expected


async def test_memories_a_century_old_are_ranked_not_refused(
    memories: PostgresMemories, corpus: Corpus
) -> None:
    vector = question(corpus, np.random.default_rng(4))
    policy = RankingPolicy(0.7, 0.3, 0.0, half_life_days=0.01)
    for number in (0, len(SCOPE_SIZES) - 1):
        search = make_search(number, vector, policy, 10)
        assert len(await memories.search(search)) == 10


async def test_an_unknown_scope_has_no_memories(memories: PostgresMemories, corpus: Corpus) -> None:
    vector = question(corpus, np.random.default_rng(4))
    search = make_search(999, vector, RankingPolicy(), 10)
    assert await memories.search(search) == []
