"""Skewed scopes of clustered vectors with chunks, and the brute-force truth about them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.asyncpg import register_vector

from serve_app.core.memory import Kind, Scope
from serve_app.core.ranking import RankingPolicy, recency
from serve_app.core.search import VectorSearch

DIMENSION = 384
TOPICS = 60
NOW = datetime(2026, 6, 1, tzinfo=UTC)
KINDS = (Kind.EPISODIC, Kind.SEMANTIC, Kind.PROCEDURAL)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Corpus:
    """Rows are chunks; `memory`, `scope`, `ages`, `importance`, `kind` are per chunk."""

    vectors: Floats
    memory: NDArray[np.int64]
    scope: NDArray[np.int64]
    ages: NDArray[np.float64]
    importance: NDArray[np.float64]
    kind: NDArray[np.int64]
    topics: Floats


def unit(vectors: Floats) -> Floats:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def make_corpus(scope_sizes: list[int], seed: int) -> Corpus:
    """`scope_sizes` count memories; every fifth has three chunks. Topics cross all scopes."""
    random = np.random.default_rng(seed)
    topics = unit(random.standard_normal((TOPICS, DIMENSION), dtype=np.float32) + 0.4)
    count = sum(scope_sizes)
    scope = np.repeat(np.arange(len(scope_sizes)), scope_sizes)
    chunks = np.where(np.arange(count) % 5 == 0, 3, 1)
    memory = np.repeat(np.arange(count), chunks)
    noise = random.standard_normal((len(memory), DIMENSION), dtype=np.float32)
    vectors = topics[random.integers(0, TOPICS, len(memory))] + 0.055 * noise
    # Half precision first, so that the truth is computed from what is stored.
    stored = unit(vectors).astype(np.float16).astype(np.float32)
    return Corpus(
        vectors=stored,
        memory=memory,
        scope=scope[memory],
        ages=np.round(random.exponential(60, count), 6)[memory],
        importance=np.round(random.random(count), 3)[memory],
        kind=random.choice(3, count, p=[0.6, 0.37, 0.03])[memory],
        topics=topics,
    )


def question(corpus: Corpus, random: np.random.Generator) -> Floats:
    """A unit vector near one of the topics."""
    noise = random.standard_normal(DIMENSION, dtype=np.float32)
    near = unit(corpus.topics[random.integers(TOPICS)] + 0.055 * noise)
    return near.astype(np.float16).astype(np.float32)


def scope_of(number: int) -> Scope:
    return Scope(1, "agent", f"user-{number}")


def id_of(memory: int) -> UUID:
    return UUID(int=memory + 1)


def brute_force(corpus: Corpus, search: VectorSearch, number: int) -> list[tuple[UUID, float]]:
    """The true top_k of a scope: ids and scores, best first."""
    inside = corpus.scope == number
    if search.kind is not None:
        inside &= corpus.kind == KINDS.index(search.kind)
    rows = np.flatnonzero(inside)
    query = np.asarray(search.vector, dtype=np.float64)
    vectors = corpus.vectors[rows].astype(np.float64)
    similarity = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    policy = search.policy
    scores = (
        policy.similarity_weight * similarity
        + policy.recency_weight * recency(corpus.ages[rows], policy.half_life_days)
        + policy.importance_weight * corpus.importance[rows]
    )
    best: dict[int, float] = {}
    for memory, value in zip(corpus.memory[rows], scores, strict=True):
        best[int(memory)] = max(best.get(int(memory), -9.0), float(value))
    ranked = sorted(best.items(), key=lambda item: -item[1])[: search.top_k]
    return [(id_of(memory), value) for memory, value in ranked]


def make_search(
    number: int, vector: Floats, policy: RankingPolicy, top_k: int = 10, kind: Kind | None = None
) -> VectorSearch:
    return VectorSearch(scope_of(number), vector, top_k, policy, NOW, kind)


async def load_corpus(dsn: str, corpus: Corpus) -> None:
    """Store all rows with COPY, in an order that scatters every scope over the whole table."""
    connection = await asyncpg.connect(dsn)
    try:
        await register_vector(connection)
        scopes = [(n + 1, 1, "agent", f"user-{n}") for n in range(int(corpus.scope.max()) + 1)]
        await connection.copy_records_to_table(
            "scopes", records=scopes, columns=["scope_id", "tenant_id", "agent_id", "user_id"]
        )
        first = np.flatnonzero(np.diff(corpus.memory, prepend=-1))
        shuffled = np.random.default_rng(5).permutation(first)
        await connection.copy_records_to_table(
            "memories", records=[_memory_row(corpus, row) for row in shuffled], columns=_MEMORY
        )
        await connection.copy_records_to_table(
            "memory_vectors",
            records=[
                _vector_row(corpus, row, ordinal)
                for start in shuffled
                for ordinal, row in enumerate(_rows_from(corpus, start))
            ],
            columns=_VECTOR,
        )
        await connection.execute("vacuum analyze memory_vectors")
        await connection.execute("vacuum analyze memories")
    finally:
        await connection.close()


_MEMORY = ["id", "tenant_id", "scope_id", "content", "kind", "importance", "created_at"]
_MEMORY += ["occurred_at", "updated_at", "content_hash"]
_VECTOR = ["memory_id", "ordinal", "tenant_id", "scope_id", "span_start", "span_end", "kind"]
_VECTOR += ["importance", "occurred_at", "active", "embedding"]


def _rows_from(corpus: Corpus, start: int) -> range:
    end = int(start)
    while end < len(corpus.memory) and corpus.memory[end] == corpus.memory[start]:
        end += 1
    return range(int(start), end)


def _occurred_at(corpus: Corpus, row: int) -> datetime:
    return NOW - timedelta(days=float(corpus.ages[row]))


def _memory_row(corpus: Corpus, row: int) -> tuple[object, ...]:
    at = _occurred_at(corpus, row)
    memory = int(corpus.memory[row])
    kind = KINDS[corpus.kind[row]].value
    importance = float(corpus.importance[row])
    scope_id = int(corpus.scope[row]) + 1
    return (id_of(memory), 1, scope_id, f"memory {memory}", kind, importance, at, at, at, b"")


def _vector_row(corpus: Corpus, row: int, ordinal: int) -> tuple[object, ...]:
    kind = KINDS[corpus.kind[row]].value
    scope_id = int(corpus.scope[row]) + 1
    place = (id_of(int(corpus.memory[row])), ordinal, 1, scope_id, ordinal * 10, ordinal * 10 + 10)
    weights = (kind, float(corpus.importance[row]), _occurred_at(corpus, row))
    return (*place, *weights, True, HalfVector(corpus.vectors[row]))
