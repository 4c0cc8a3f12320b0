"""The fusion of a pool of candidates by score, for profiles that look beyond the vector.

own    = w . (similarity, recency, importance, words, date, time words)
near   = own + neighbour * max(own of the memories beside it) + far_neighbour * max(own of the next)
score  = near + session * mean(the three greatest near of its session)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from serve_app.core.ranking import SECONDS_PER_DAY, Floats, Signals, recency, score
from serve_app.core.search import FusedSearch, Spans

REACH = 2
"""How many memories on each side of one that was found are its neighbours."""

SESSION_TOP = 3
AFTER_DAYS = 7.0
"""People speak of a day later, too: the tail of a date match, in days."""


@dataclass(frozen=True, slots=True)
class Pool:
    """n candidates of one scope in the order of session, time and id; every array has shape (n,).

    `words` is BM25, `best_words` the greatest of the scope. A row with `before` and `after` was
    found itself, and that many rows beside it in the pool are beside it in the scope, too.
    """

    ids: Sequence[UUID]
    similarity: Floats
    words: Floats
    best_words: float
    occurred_at: Floats
    importance: Floats
    sessions: Sequence[str]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    tells_time: NDArray[np.bool_]
    spans: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Fused:
    """One of the best of a pool: its row, its score, and every signal of it."""

    row: int
    score: float
    recency: float
    signals: Signals


def fuse(pool: Pool, search: FusedSearch, gap_seconds: float) -> list[Fused]:
    """The top_k of the pool, best first; ties go to the more recent, then the later row.

    Memories without a session belong to one while less than `gap_seconds` lie between them.
    """
    if not pool.ids:
        return []
    plain, weights = search.nearest, search.fusion
    words = pool.words / pool.best_words if pool.best_words > 0 else pool.words
    date = match_dates(pool.occurred_at, search.time.dates)
    ages = np.maximum(plain.now.timestamp() - pool.occurred_at, 0.0) / SECONDS_PER_DAY
    fresh = recency(ages, plain.policy.half_life_days)
    own = score(pool.similarity, fresh, pool.importance, plain.policy)
    told = np.stack([words, date, pool.tells_time.astype(np.float64)])
    own = own + np.array(weights.of_memory) @ told
    session = split_sessions(pool, gap_seconds)
    linked = link_rows(pool, session)
    beside = np.stack([look_beside(own, linked, 1), look_beside(own, linked, REACH)])
    near = own + np.array(weights.of_context[:2]) @ beside
    around = weigh_sessions(near, session)
    total = near + weights.session * around
    told = np.vstack([told, beside, around])
    order = np.lexsort((pool.occurred_at, total))[::-1][: plain.top_k]
    return [
        Fused(int(row), float(total[row]), float(fresh[row]), Signals(*told[:, row].tolist()))
        for row in order
    ]


def match_dates(occurred_at: Floats, dates: Spans) -> Floats:
    """1 within any of the stretches, then falling by e in AFTER_DAYS; 0 before. Shape (n,)."""
    matched = np.zeros(len(occurred_at))
    for start, end in dates:
        late = np.maximum(0.0, occurred_at - end) / SECONDS_PER_DAY
        matched = np.maximum(
            matched, np.where(occurred_at < start, 0.0, np.exp(-late / AFTER_DAYS))
        )
    return matched


def split_sessions(pool: Pool, gap_seconds: float) -> NDArray[np.int64]:
    """The number of each row's session, from 0, rising along the pool."""
    names = np.array(pool.sessions, dtype=object)
    named = names[1:] != ""
    apart = np.diff(pool.occurred_at) > gap_seconds
    starts = (names[1:] != names[:-1]) | (~named & apart)
    return np.concatenate([[0], np.cumsum(starts)])


def link_rows(pool: Pool, session: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each row and the next are neighbours in the scope, shape (n - 1,)."""
    rows = np.arange(len(pool.ids))
    depth = np.zeros(len(rows) + 1, dtype=np.int64)
    np.add.at(depth, rows - pool.before, 1)
    np.add.at(depth, rows + pool.after, -1)
    return (np.cumsum(depth)[: len(rows) - 1] > 0) & (session[1:] == session[:-1])


def look_beside(own: Floats, linked: NDArray[np.bool_], distance: int) -> Floats:
    """The better `own` of the rows `distance` before and after, 0 where there is none."""
    beside = np.zeros(len(own))
    if len(own) <= distance:
        return beside
    reached = linked[: len(own) - distance].copy()
    for step in range(1, distance):
        reached &= linked[step : step + len(reached)]
    np.maximum(beside[distance:], np.where(reached, own[:-distance], 0.0), out=beside[distance:])
    np.maximum(beside[:-distance], np.where(reached, own[distance:], 0.0), out=beside[:-distance])
    return beside


def weigh_sessions(near: Floats, session: NDArray[np.int64]) -> Floats:
    """Of each row's session the mean of the SESSION_TOP greatest, or of all if there are fewer."""
    order = np.lexsort((-near, session))
    starts = np.searchsorted(session[order], np.arange(session[-1] + 1))
    place = np.arange(len(near)) - starts[session[order]]
    best = order[place < SESSION_TOP]
    sums = np.bincount(session[best], weights=near[best])
    return (sums / np.bincount(session[best]))[session]
