"""How exact and how fast a search is, by size of scope and kind of index, against brute force."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import SecretStr

from bench.memory_rows import NOW, SHARES, TOP_K, Integers, Rows, ask
from bench.reporting import Result, say
from serve_app.core.ranking import Candidate, rank, recency
from serve_app.core.search import VectorSearch
from serve_app.settings import load_settings
from serve_app.storage.ann_index import switch_index
from serve_app.storage.connection import open_pool
from serve_app.storage.memories import PostgresMemories

ALPHAS = (0.3, 0.7, 1.0)
TOLERANCE = 1e-5

BenchKind = Literal["none", "ivfflat", "hnsw"]
Search = Callable[[VectorSearch], Awaitable[list[Candidate]]]


@dataclass(frozen=True, slots=True)
class Question:
    """A search, and the rows (numbers) that its scope holds."""

    search: VectorSearch
    inside: Integers


def make_questions(
    rows: Rows, numbers: Sequence[int], alpha: float, count: int, seed: int
) -> list[Question]:
    """`count` questions to the scopes `numbers`, one after the other."""
    random = np.random.default_rng(seed)
    asked = [numbers[turn % len(numbers)] for turn in range(count)]
    inside = {number: np.flatnonzero(rows.scope == number) for number in set(asked)}
    return [Question(ask(rows, number, alpha, random), inside[number]) for number in asked]


def find_true_scores(rows: Rows, question: Question) -> list[float]:
    """The TOP_K best scores of a scope, best first, by brute force."""
    policy = question.search.policy
    vectors = rows.vectors[question.inside].astype(np.float64)
    asked = np.asarray(question.search.vector, np.float64)
    similarity = vectors @ asked / np.linalg.norm(vectors, axis=1) / np.linalg.norm(asked)
    fresh = recency(rows.ages[question.inside], policy.half_life_days)
    scores = policy.similarity_weight * similarity + policy.recency_weight * fresh
    return sorted(scores.tolist(), reverse=True)[:TOP_K]


async def measure(search: Search, rows: Rows, questions: Sequence[Question]) -> Result:
    """Ask one after the other: the share of the true best, short answers, p50 and p99 in ms."""
    found, wanted, short, times = 0, 0, 0, list[float]()
    for question in questions:
        started = time.perf_counter()
        candidates = await search(question.search)
        times.append(1000 * (time.perf_counter() - started))
        truth = find_true_scores(rows, question)
        hits = rank(candidates, NOW, question.search.policy, TOP_K)
        found += sum(hit.score >= truth[-1] - TOLERANCE for hit in hits)
        wanted += len(truth)
        short += len(hits) < len(truth)
    p50, p99 = (float(value) for value in np.percentile(times, [50, 99]))
    return {"recall": found / wanted, "short": short, "p50_ms": p50, "p99_ms": p99}


async def compare_indexes(
    dsn: str, rows: Rows, kinds: Sequence[BenchKind], queries: int
) -> list[Result]:
    """Every kind of index, every size of scope, three weights of similarity."""
    settings = load_settings(database_url=SecretStr(dsn), db_min_pool_size=1, db_max_pool_size=1)
    lines: list[Result] = []
    for kind in kinds:
        if kind != "none":
            started = time.perf_counter()
            await switch_index(dsn, kind, lambda _line: None)
            say(f"Built {kind} in {time.perf_counter() - started:.1f} s")
        pool = await open_pool(settings)
        memories = PostgresMemories(pool, settings)
        for number in range(len(SHARES) + 1):
            for alpha in ALPHAS:
                questions = make_questions(rows, [number], alpha, queries + 3, number)
                # The first ones fill the caches of a fresh connection.
                await measure(memories.search, rows, questions[:3])
                row: Result = {"index": kind, "scope": len(questions[0].inside), "alpha": alpha}
                lines.append(row | await measure(memories.search, rows, questions[3:]))
                say(f"  {lines[-1]}")
        await pool.close()
    return lines
