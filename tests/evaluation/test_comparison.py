import numpy as np
import pytest

from serve_app.evaluation.comparison import bootstrap_difference


def test_the_interval_is_that_of_paired_values() -> None:
    random = np.random.default_rng(3)
    hard = random.uniform(0, 1, 400)
    # Values differ much from question to question, but always by the same between the two.
    found = bootstrap_difference(hard + 0.05 + random.normal(0, 0.02, 400), hard)
    assert found.mean == pytest.approx(0.05, abs=0.005)
    assert found.low < found.mean < found.high
    # 1.96 standard errors to each side, as theory has it.
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.02 / 20, rel=0.15)
    assert found.n == 400


def test_the_interval_of_equals_holds_zero() -> None:
    random = np.random.default_rng(6)
    one, other = random.uniform(0, 1, (2, 300))
    found = bootstrap_difference(one, other)
    assert found.low < 0 < found.high


def test_the_seed_decides() -> None:
    one, other = np.random.default_rng(5).uniform(0, 1, (2, 50))
    assert bootstrap_difference(one, other, 1) == bootstrap_difference(one, other, 1)
    assert bootstrap_difference(one, other, 1) != bootstrap_difference(one, other, 2)
