from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.memory import Kind, Memory, Scope
from serve_app.core.ranking import Candidate, RankingPolicy, rank, recency, score

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def candidate(
    number: int, similarity: float, age_days: float = 0.0, importance: float = 0.5
) -> Candidate:
    occurred = NOW - timedelta(days=age_days)
    memory = Memory(
        UUID(int=number),
        Scope(1, "agent", "user"),
        "rain",
        Kind.EPISODIC,
        importance,
        occurred,
        occurred,
        occurred,
    )
    return Candidate(memory, similarity, (0, 4))


units = st.floats(0, 1)
candidate_lists = st.lists(
    st.tuples(st.floats(-1, 1), st.floats(-10, 400), units), max_size=40
).map(lambda signals: [candidate(n + 1, *signal) for n, signal in enumerate(signals)])


def expected_score(item: Candidate, policy: RankingPolicy) -> float:
    """The formula, written out once more in plain Python."""
    age = max((NOW - item.memory.occurred_at) / timedelta(days=1), 0.0)
    return (
        policy.similarity_weight * item.similarity
        + policy.recency_weight * 2 ** (-age / policy.half_life_days)
        + policy.importance_weight * item.memory.importance
    )


@given(candidate_lists, units, units, st.floats(0.5, 90), st.integers(1, 50))
def test_rank_equals_brute_force(
    candidates: list[Candidate], alpha: float, weight: float, half_life: float, top_k: int
) -> None:
    policy = RankingPolicy.from_alpha(alpha, half_life, weight)
    hits = rank(candidates, NOW, policy, top_k)
    best = sorted((expected_score(item, policy) for item in candidates), reverse=True)[:top_k]
    assert np.allclose([hit.score for hit in hits], best)
    by_id = {item.memory.id: item for item in candidates}
    assert len({hit.memory.id for hit in hits}) == len(hits)
    for hit in hits:
        assert np.isclose(hit.score, expected_score(by_id[hit.memory.id], policy))
        assert hit.similarity == by_id[hit.memory.id].similarity
        assert hit.importance == hit.memory.importance


@given(candidate_lists, st.randoms())
def test_the_order_of_candidates_does_not_matter(candidates: list[Candidate], random) -> None:
    shuffled = random.sample(candidates, len(candidates))
    assert rank(shuffled, NOW, RankingPolicy(), 10) == rank(candidates, NOW, RankingPolicy(), 10)


def test_no_candidates_give_no_hits() -> None:
    assert rank([], NOW, RankingPolicy(), 10) == []


def test_alpha_0_gives_the_most_recent_and_alpha_1_the_most_similar() -> None:
    items = [candidate(1, 0.9, 50), candidate(2, 0.1, 1), candidate(3, 0.5, 10)]
    recent = rank(items, NOW, RankingPolicy.from_alpha(0.0, 30), 3)
    similar = rank(items, NOW, RankingPolicy.from_alpha(1.0, 30), 3)
    assert [hit.memory.id.int for hit in recent] == [2, 3, 1]
    assert [hit.memory.id.int for hit in similar] == [1, 3, 2]


def test_ties_go_to_the_more_recent_then_to_the_greater_id() -> None:
    items = [candidate(1, 0.5, 3), candidate(2, 0.5, 2), candidate(3, 0.5, 3)]
    hits = rank(items, NOW, RankingPolicy(similarity_weight=1, recency_weight=0), 3)
    assert [hit.memory.id.int for hit in hits] == [2, 3, 1]


def test_recency_halves_with_each_half_life() -> None:
    ages = np.array([0.0, 30.0, 60.0])
    assert recency(ages, 30.0) == pytest.approx([1.0, 0.5, 0.25])
    assert recency(60.0, 30.0) == pytest.approx(0.25)


def test_what_is_yet_to_happen_is_as_fresh_as_can_be() -> None:
    [hit] = rank([candidate(1, 0.5, -36_500)], NOW, RankingPolicy(0.5, 0.5), 1)
    assert (hit.recency, hit.score) == pytest.approx((1.0, 0.75))


def test_recency_is_memexs_exponential() -> None:
    ages = np.linspace(0, 365, 50)
    assert recency(ages, 30.0) == pytest.approx(np.exp(-np.log(2) / 30.0 * ages))


def test_a_score_weighs_each_signal() -> None:
    ones = np.ones(1)
    assert score(ones, 2 * ones, 4 * ones, RankingPolicy(0.6, 0.1, 0.3)) == pytest.approx([2.0])


def test_the_policy_of_memex() -> None:
    policy = RankingPolicy.from_alpha(0.7, 30.0)
    assert policy.recency_weight == pytest.approx(0.3)
    assert (policy.similarity_weight, policy.importance_weight) == (0.7, 0.0)
