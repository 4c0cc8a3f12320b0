from math import log2

import pytest

from serve_app.evaluation.metrics import ndcg_at, recall_at, reciprocal_rank


def test_recall() -> None:
    assert recall_at(["a", "b", "c"], frozenset("bcz"), 2) == pytest.approx(1 / 3)
    assert recall_at([], frozenset("a"), 5) == 0


def test_reciprocal_rank() -> None:
    assert reciprocal_rank(["a", "b", "c"], frozenset("cb")) == 0.5
    assert reciprocal_rank(["a"], frozenset("b")) == 0


def test_ndcg() -> None:
    gained = 1 / log2(3) + 1 / log2(5)
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert ndcg_at(list("abxcy"), frozenset("bcz"), 5) == pytest.approx(gained / ideal)
    assert ndcg_at(list("ab"), frozenset("ab"), 10) == pytest.approx(1)
    assert ndcg_at(list("ba"), frozenset("a"), 1) == 0
