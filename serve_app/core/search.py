"""What is asked of a search."""

from dataclasses import dataclass
from datetime import datetime

from serve_app.core.memory import Kind, Scope, Vector
from serve_app.core.ranking import RankingPolicy


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A question in words; `as_of` ranks as of that moment instead of now."""

    scope: Scope
    text: str
    top_k: int
    policy: RankingPolicy
    kind: Kind | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class VectorSearch:
    """A question as storage sees it: a unit vector, and the moment ages count from."""

    scope: Scope
    vector: Vector
    top_k: int
    policy: RankingPolicy
    now: datetime
    kind: Kind | None = None
