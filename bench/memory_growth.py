"""How the cost of a search grows: with the rows at one size of scope, with the scopes at one size.

No vector index is built: scopes this small are ranked in full.
"""

import time
from collections.abc import Sequence

import numpy as np
from pydantic import SecretStr

from bench.memory_rate import compare_ways
from bench.memory_recall import make_questions, measure
from bench.memory_rows import Rows, load, make_even_rows
from bench.reporting import Result, say
from serve_app.core.memory import Scope
from serve_app.core.search import VectorSearch
from serve_app.settings import load_settings
from serve_app.storage.connection import open_pool
from serve_app.storage.memories import PostgresMemories

ALPHA = 0.7
JOINED = 64
ASKED_SCOPES = 500
LEAST_QUERIES = 10
MOST_VECTORS = 1_000_000
"""Scored by brute force for one line."""


async def measure_growth(dsn: str, shape: tuple[int, int], queries: int) -> Result:
    """Load (rows, scopes) and search: p50, recall, cost joined, and counting, at one caller."""
    count, scopes = shape
    rows = make_even_rows(count, scopes, seed=1)
    await load(dsn, rows)
    settings = load_settings(database_url=SecretStr(dsn), db_min_pool_size=1, db_max_pool_size=1)
    pool = await open_pool(settings)
    try:
        memories = PostgresMemories(pool, settings)
        # Brute force over large scopes would take longer than all the rest.
        queries = min(queries, max(LEAST_QUERIES, MOST_VECTORS * scopes // count))
        questions = make_questions(rows, _choose(rows, scopes), ALPHA, 2 * queries, seed=2)
        for question in questions[:queries]:
            await memories.search(question.search)
        row: Result = {"rows": count, "scopes": scopes, "scope": count // scopes}
        row |= await measure(memories.search, rows, questions[queries:])
        joined = min(JOINED, queries)
        searches = [question.search for question in questions[:joined]]
        row[f"joined_{JOINED}_ms_each"] = await _time_joined(memories, searches)
        row["count_ms"] = await _time_counts(memories, [search.scope for search in searches])
    finally:
        await pool.close()
    say(f"  {row}")
    return row


async def measure_rate(dsn: str, rows: Rows, plan: tuple[int, float]) -> list[Result]:
    """Bare loop, storage layer and deployment on the rows that are loaded."""
    from bench.memory_deployment import open_retrieval

    settings = load_settings(database_url=SecretStr(dsn))
    questions = make_questions(rows, _choose(rows, int(rows.scope.max()) + 1), ALPHA, 500, seed=3)
    with open_retrieval(dsn) as remote:
        lines = await compare_ways(settings, questions, {"deployment": remote.search}, plan)
        lines[0] |= {
            "deployment_recall": (await measure(remote.search, rows, questions[:200]))["recall"]
        }
    return lines


def _choose(rows: Rows, scopes: int) -> list[int]:
    random = np.random.default_rng(len(rows.scope))
    return random.permutation(scopes)[:ASKED_SCOPES].tolist()


async def _time_joined(memories: PostgresMemories, searches: Sequence[VectorSearch]) -> float:
    """Milliseconds for each search where JOINED of them are one statement."""
    times: list[float] = []
    for _ in range(5):
        started = time.perf_counter()
        await memories.search_many(searches)
        times.append(1000 * (time.perf_counter() - started) / len(searches))
    return float(np.median(times))


async def _time_counts(memories: PostgresMemories, scopes: Sequence[Scope]) -> float:
    times: list[float] = []
    for scope in scopes:
        started = time.perf_counter()
        await memories.count(scope)
        times.append(1000 * (time.perf_counter() - started))
    return float(np.median(times))
