import numpy as np
import pytest

from serve_app.embedding.quantisation import (
    LARGEST,
    derive_smoothing,
    derive_step,
    leave_alone,
    quantise_columns,
)


@pytest.fixture
def matrix():
    return np.random.default_rng(3).normal(0, 0.1, (64, 48)).astype(np.float32)


@pytest.fixture
def rows():
    """Channels of a mean of their own that go together, as those of a network do."""
    random = np.random.default_rng(5)
    mixed = random.normal(0, 1, (500, 64)) @ random.normal(0, 0.3, (64, 64))
    return (mixed + random.normal(0, 2, 64)).astype(np.float32)


def reaching(low, high):
    """Two rows that hold the ends of each channel."""
    return np.stack([low, high]).astype(np.float32)


def test_integers_times_scales_are_the_matrix(matrix, rows):
    integers = quantise_columns(matrix, rows)
    assert (integers.values.dtype, integers.scale.shape) == (np.int8, (48,))
    assert (np.abs(integers.values * integers.scale - matrix) <= integers.scale * 0.5001).all()


def test_drift_is_what_rounding_takes_from_products_on_average(matrix, rows):
    integers = quantise_columns(matrix, rows)
    lost = rows @ matrix - rows @ (integers.values * integers.scale)
    np.testing.assert_allclose(integers.drift, lost.mean(axis=0), atol=1e-4)
    assert np.abs(integers.drift).max() > 1e-3


def test_no_pair_of_products_leaves_sixteen_bits(matrix, rows):
    matrix[10:12, 5] = 3.0
    matrix[20:22, 6] = -3.0
    values = quantise_columns(matrix, rows * 10).values
    pairs = values[0::2].astype(int) + values[1::2]
    worst = np.maximum(np.abs(pairs), np.abs(values).max(axis=0))
    assert worst.max() * 255 <= 32_767


def test_a_column_of_zeros_stays_one():
    integers = quantise_columns(np.zeros((4, 2), np.float32), np.zeros((3, 4), np.float32))
    assert not integers.values.any()
    assert np.isfinite(integers.scale).all()
    assert (integers.scale > 0).all()


def test_smoothing_evens_out_the_channels(matrix):
    reach = np.geomspace(0.1, 50, 64).astype(np.float32)
    rows = reaching(7 - reach, 7 + reach)
    smooth = derive_smoothing(rows, matrix)
    np.testing.assert_allclose(smooth.shift, 7, atol=0.02)
    evened = np.abs(smooth.apply(rows)).max(axis=0)
    assert evened.max() / evened.min() < reach.max() / reach.min() / 5


def test_the_last_bits_of_what_was_seen_change_nothing(matrix):
    reach = np.geomspace(0.11, 53, 64).astype(np.float32)
    one = derive_smoothing(reaching(-reach, reach), matrix)
    other = derive_smoothing(reaching(-reach * 1.000001, reach * 1.000001), matrix)
    np.testing.assert_array_equal(one.factor, other.factor)
    np.testing.assert_array_equal(one.shift, other.shift)


def test_a_step_reaches_what_was_seen(rows):
    reach, size = derive_step(rows) * LARGEST, np.abs(rows).max()
    assert size <= reach <= size + 1 / 16


def test_leaving_alone_changes_nothing():
    smooth = leave_alone(3)
    np.testing.assert_array_equal(smooth.apply(np.arange(3)), np.arange(3))
