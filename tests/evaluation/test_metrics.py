"""The library is held to the textbook's formulas, written out."""

import random
from collections.abc import Mapping, Sequence
from math import log2

import pytest

from serve_app.evaluation.metrics import score_rankings


def recall(ranked: Sequence[str], relevant: Mapping[str, int], k: int) -> float:
    return len(set(ranked[:k]) & set(relevant)) / len(relevant)


def reciprocal_rank(ranked: Sequence[str], relevant: Mapping[str, int]) -> float:
    return next((1 / rank for rank, item in enumerate(ranked, 1) if item in relevant), 0.0)


def gain(grades: Sequence[int]) -> float:
    return sum(grade / log2(rank + 1) for rank, grade in enumerate(grades, 1))


def describe(ranked: Sequence[str], relevant: Mapping[str, int]) -> dict[str, float]:
    best = sorted(relevant.values(), reverse=True)[:10]
    recalls = {f"recall@{k}": recall(ranked, relevant, k) for k in (5, 10, 20, 50)}
    return {
        **recalls,
        **{name.replace("recall", "hit"): float(value > 0) for name, value in recalls.items()},
        "MRR@20": reciprocal_rank(ranked[:20], relevant),
        "nDCG@10": gain([relevant.get(item, 0) for item in ranked[:10]]) / gain(best),
    }


def test_every_metric_is_the_textbooks() -> None:
    draw = random.Random(11)
    items = [f"item {n}" for n in range(80)]
    rankings = [draw.sample(items, draw.randint(0, 50)) for _ in range(200)]
    relevant = [
        {item: draw.randint(1, 3) for item in draw.sample(items, draw.randint(1, 15))}
        for _ in rankings
    ]
    scored = score_rankings(rankings, relevant)
    assert len(scored) == 200
    for found, ranked, graded in zip(scored, rankings, relevant, strict=True):
        assert found == pytest.approx(describe(ranked, graded)), ranked


def test_what_comes_after_the_cut_does_not_count() -> None:
    ranked = [f"{n}" for n in range(50)]
    [found] = score_rankings([ranked], [{"20": 1}])
    assert (found["recall@20"], found["recall@50"]) == (0, 1)
    assert (found["hit@20"], found["hit@50"]) == (0, 1)
    assert found["MRR@20"] == 0


def test_nothing_found_is_zero_and_not_left_out() -> None:
    nothing, something = score_rankings([[], ["a"]], [{"a": 1}, {"a": 1}])
    assert set(nothing.values()) == {0.0}
    assert set(something.values()) == {1.0}
