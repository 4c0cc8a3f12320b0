"""What a reranker is asked, and what becomes of a ranking once it has read the texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from serve_app.core.ranking import Hit

Skipped = Literal["not_configured", "deadline", "unavailable"]
"""Why a ranking was left as it was."""


@dataclass(frozen=True, slots=True)
class RerankQuestion:
    """A question and the texts that may answer it; after `seconds` nobody waits for the scores."""

    query: str
    texts: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Reranked:
    """Hits, best first, and the reranker's `scores` of them: the higher, the more relevant.

    Without scores the hits are those of the first ranking, and `skipped` tells why.
    """

    hits: list[Hit]
    scores: list[float] | None
    skipped: Skipped | None = None


def reorder(hits: Sequence[Hit], scores: Sequence[float], top_k: int) -> Reranked:
    """The `top_k` hits of the highest scores; equal ones stay in their order."""
    order = sorted(range(len(hits)), key=lambda place: -scores[place])[:top_k]
    return Reranked([hits[place] for place in order], [scores[place] for place in order])
