"""The formula of a search, in its one place; storage's SQL is tested equal to it.

score = similarity_weight * similarity + recency_weight * recency + importance_weight * importance
recency = 2 ** (-age / half_life), age never below zero (memex: exp(-ln 2 / half_life * age))
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from serve_app.core.memory import Memory

Floats = NDArray[np.float64]

Number = TypeVar("Number", float, Floats)
"""One number, or an array of shape (n,)."""

SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class RankingPolicy:
    """The weights of the three signals, and the half-life of recency in days."""

    similarity_weight: float = 0.7
    recency_weight: float = 0.3
    importance_weight: float = 0.0
    half_life_days: float = 30.0

    @classmethod
    def from_alpha(
        cls, alpha: float, half_life_days: float, importance_weight: float = 0.0
    ) -> "RankingPolicy":
        """The policy of memex: `alpha` for similarity, the rest for recency."""
        return cls(alpha, 1.0 - alpha, importance_weight, half_life_days)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that storage proposes. `similarity` is the cosine of its best chunk, in [-1, 1]."""

    memory: Memory
    similarity: float
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of a fused search beyond the three of RankingPolicy, unweighted."""

    words: float
    date: float
    time_words: float
    neighbour: float
    far_neighbour: float
    session: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A ranked memory, with every signal that made its score.

    `signals` come with a fused search, `context` (the memories beside it) where it was asked for.
    """

    memory: Memory
    similarity: float
    recency: float
    importance: float
    score: float
    span: tuple[int, int]
    signals: Signals | None = None
    context: tuple[Memory, ...] | None = None


def recency(age_days: Number, half_life_days: float) -> Number:
    """How fresh a memory of this age is, or memories are: in (0, 1], 0.5 after one half-life.

    No age may be below zero.
    """
    # A power of floats is Any to the type checker: of a negative base it would be complex.
    return cast("Number", 2.0 ** (-age_days / half_life_days))


def score(similarity: Number, recent: Number, importance: Number, policy: RankingPolicy) -> Number:
    """The combined score of a candidate, or of n candidates."""
    return (
        policy.similarity_weight * similarity
        + policy.recency_weight * recent
        + policy.importance_weight * importance
    )


def rank(
    candidates: Sequence[Candidate], now: datetime, policy: RankingPolicy, top_k: int
) -> list[Hit]:
    """The `top_k` best candidates, best first; ties go to the more recent, then the greater id."""
    # One by one: for the few that a search proposes, arrays cost four times as much.
    hits = [_rate(candidate, now, policy) for candidate in candidates]
    hits.sort(key=lambda hit: (hit.score, hit.memory.occurred_at, hit.memory.id), reverse=True)
    return hits[:top_k]


def _rate(candidate: Candidate, now: datetime, policy: RankingPolicy) -> Hit:
    memory, similarity = candidate.memory, candidate.similarity
    age = max((now - memory.occurred_at).total_seconds(), 0.0) / SECONDS_PER_DAY
    fresh = recency(age, policy.half_life_days)
    total = score(similarity, fresh, memory.importance, policy)
    return Hit(memory, similarity, fresh, memory.importance, total, candidate.span)
