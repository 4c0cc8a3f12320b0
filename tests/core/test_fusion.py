"""The fusion against the same in plain loops, and by cases written by hand."""

from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest

from serve_app.core.fusion import Pool, fuse, link_rows, match_dates, split_sessions
from serve_app.core.memory import Scope
from serve_app.core.profiles import FusionWeights
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import FusedSearch, QuestionTime, Spans, VectorSearch

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = 86_400.0
GAP = 3600.0
ALL = FusionWeights(0.3, 0.2, 0.15, 0.4, 0.2, 0.5)


def make_pool(random: np.random.Generator, count: int) -> Pool:
    """Sessions with and without a name, gaps above and below an hour, some rows found."""
    named = random.random() < 0.5
    sessions = sorted(f"s{n}" for n in random.integers(0, 4, count)) if named else [""] * count
    steps = random.choice([10.0, 1800.0, 4000.0, 90_000.0], count)
    times = NOW.timestamp() - 40 * DAY + np.cumsum(steps)
    found = random.random(count) < 0.4
    return Pool(
        ids=[UUID(int=n + 1) for n in range(count)],
        similarity=random.uniform(-0.2, 1, count),
        words=np.where(random.random(count) < 0.5, random.uniform(0, 9, count), 0.0),
        best_words=12.0,
        occurred_at=times,
        importance=random.random(count),
        sessions=sessions,
        before=np.where(found, np.minimum(np.arange(count), 2), 0),
        after=np.where(found, np.minimum(np.arange(count)[::-1], 2), 0),
        tells_time=random.random(count) < 0.3,
        spans=[(0, n + 1) for n in range(count)],
    )


def search_for(weights: FusionWeights, top_k: int = 10, dates: Spans = ()) -> FusedSearch:
    policy = RankingPolicy(0.6, 0.1, 0.05, 20.0)
    nearest = VectorSearch(Scope(1, "a", "u"), np.ones(3, np.float32), top_k, policy, NOW)
    return FusedSearch(nearest, "x", weights, QuestionTime(dates))


def plain_scores(pool: Pool, search: FusedSearch) -> list[float]:
    """The formula of core/fusion.py, row by row."""
    rows, w, policy = range(len(pool.ids)), search.fusion, search.nearest.policy

    def date_of(row: int) -> float:
        at = pool.occurred_at[row]
        fits = [
            1.0 if at < end else float(np.exp(-(at - end) / DAY / 7))
            for start, end in search.time.dates
            if at >= start
        ]
        return max(fits, default=0.0)

    def same(one: int, other: int) -> bool:
        if pool.sessions[one] != pool.sessions[other]:
            return False
        low, high = min(one, other), max(one, other)
        gaps = np.diff(pool.occurred_at[low : high + 1])
        return pool.sessions[one] != "" or all(gap <= GAP for gap in gaps)

    def linked(row: int) -> bool:
        """Whether row and row + 1 lie in the window of one row that was found."""
        return any(f - pool.before[f] <= row and row + 1 <= f + pool.after[f] for f in rows)

    def beside(row: int, distance: int) -> float:
        values = [0.0]
        for other in (row - distance, row + distance):
            low = min(row, other)
            near_enough = 0 <= other < len(pool.ids) and same(row, other)
            if near_enough and all(linked(step) for step in range(low, low + distance)):
                values.append(own[other])
        return max(values)

    own = [
        policy.similarity_weight * pool.similarity[r]
        + policy.recency_weight
        * 2 ** (-max(0, NOW.timestamp() - pool.occurred_at[r]) / DAY / policy.half_life_days)
        + policy.importance_weight * pool.importance[r]
        + w.words * pool.words[r] / pool.best_words
        + w.date * date_of(r)
        + w.time_words * pool.tells_time[r]
        for r in rows
    ]
    near = [own[r] + w.neighbour * beside(r, 1) + w.far_neighbour * beside(r, 2) for r in rows]
    session = [sorted((near[o] for o in rows if same(r, o)), reverse=True)[:3] for r in rows]
    return [near[r] + w.session * float(np.mean(session[r])) for r in rows]


@pytest.mark.parametrize("seed", range(25))
def test_it_is_the_plain_formula(seed: int) -> None:
    random = np.random.default_rng(seed)
    pool = make_pool(random, int(random.integers(1, 40)))
    dates = ((pool.occurred_at[0] - DAY, pool.occurred_at[0] + 3 * DAY),)
    search = search_for(ALL, 7, dates)
    truth = plain_scores(pool, search)
    best = fuse(pool, search, GAP)
    assert [one.score for one in best] == pytest.approx(sorted(truth, reverse=True)[:7])
    assert [one.score for one in best] == pytest.approx([truth[one.row] for one in best])


@pytest.mark.parametrize("seed", range(5))
def test_the_signals_of_a_hit_add_up_to_its_score(seed: int) -> None:
    pool = make_pool(np.random.default_rng(seed), 30)
    search = search_for(ALL)
    policy = search.nearest.policy
    for one in fuse(pool, search, GAP):
        linear = policy.similarity_weight * pool.similarity[one.row]
        linear += policy.recency_weight * one.recency
        linear += policy.importance_weight * pool.importance[one.row]
        others = sum(getattr(ALL, n) * getattr(one.signals, n) for n in FusionWeights.__slots__)
        assert one.score == pytest.approx(linear + others)


def test_an_empty_pool_has_no_best() -> None:
    pool = make_pool(np.random.default_rng(0), 0)
    assert fuse(pool, search_for(ALL), GAP) == []


def test_a_date_counts_within_it_and_less_afterwards() -> None:
    start = 1000 * DAY
    times = start + DAY * np.array([-0.1, 0.0, 0.99, 8.0])
    matched = match_dates(times, ((start, start + DAY),))
    assert matched == pytest.approx([0, 1, 1, np.exp(-1)])
    assert match_dates(times, ()) == pytest.approx([0, 0, 0, 0])


def line_of(times: list[float], sessions: list[str], found: dict[int, tuple[int, int]]) -> Pool:
    count = len(times)
    zeros = np.zeros(count)
    return Pool(
        ids=[UUID(int=n + 1) for n in range(count)],
        similarity=zeros,
        words=zeros,
        best_words=0.0,
        occurred_at=np.array(times),
        importance=zeros,
        sessions=sessions,
        before=np.array([found.get(n, (0, 0))[0] for n in range(count)]),
        after=np.array([found.get(n, (0, 0))[1] for n in range(count)]),
        tells_time=np.zeros(count, dtype=bool),
        spans=[(0, 1)] * count,
    )


def test_a_name_or_an_hour_parts_sessions() -> None:
    unnamed = line_of([0, 3600, 7201, 7202], [""] * 4, {})
    assert split_sessions(unnamed, GAP).tolist() == [0, 0, 1, 1]
    named = line_of([0, 9000, 9001, 20000], ["a", "a", "b", "b"], {})
    assert split_sessions(named, GAP).tolist() == [0, 0, 1, 1]


def test_rows_between_two_that_were_found_are_no_neighbours() -> None:
    pool = line_of(list(range(7)), [""] * 7, {1: (1, 1), 5: (2, 1)})
    session = split_sessions(pool, GAP)
    assert link_rows(pool, session).tolist() == [True, True, False, True, True, True]
