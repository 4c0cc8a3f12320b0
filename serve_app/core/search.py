"""What is asked of a search."""

from dataclasses import dataclass
from datetime import datetime

from serve_app.core.memory import Kind, Scope, Vector
from serve_app.core.profiles import FusionWeights, Profile
from serve_app.core.ranking import RankingPolicy


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A question in words; `as_of` ranks as of that moment instead of now.

    `context` is the number of neighbours that are wanted on each side of each hit.
    """

    scope: Scope
    text: str
    top_k: int
    profile: Profile
    kind: Kind | None = None
    as_of: datetime | None = None
    context: int = 0


@dataclass(frozen=True, slots=True)
class VectorSearch:
    """A question as storage sees it: a unit vector, and the moment ages count from.

    `model` made the vector: it is compared with vectors of that model alone.
    """

    scope: Scope
    vector: Vector
    top_k: int
    policy: RankingPolicy
    now: datetime
    kind: Kind | None = None
    model: str = ""


Spans = tuple[tuple[float, float], ...]
"""Stretches of time, [start, end) in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class QuestionTime:
    """What a question says of time: dates it names, and time words if it asks for a time."""

    dates: Spans = ()
    time_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FusedSearch:
    """A search in a pool: the vector search in it, the words, and what it says of time."""

    nearest: VectorSearch
    text: str
    fusion: FusionWeights
    time: QuestionTime = QuestionTime()
