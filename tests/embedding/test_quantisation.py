import numpy as np
import pytest

from serve_app.embedding.quantisation import (
    Range,
    derive_smoothing,
    leave_alone,
    quantise_columns,
)


@pytest.fixture
def matrix():
    return np.random.default_rng(3).normal(0, 0.1, (64, 48)).astype(np.float32)


def test_integers_times_scales_are_the_matrix(matrix):
    integers, scale = quantise_columns(matrix)
    assert (integers.dtype, scale.shape) == (np.int8, (48,))
    assert (np.abs(integers * scale - matrix) <= scale * 0.5001).all()


def test_no_pair_of_products_leaves_sixteen_bits(matrix):
    matrix[10:12, 5] = 3.0
    matrix[20:22, 6] = -3.0
    integers, _ = quantise_columns(matrix)
    pairs = integers[0::2].astype(int) + integers[1::2]
    worst = np.maximum(np.abs(pairs), np.abs(integers).max(axis=0))
    assert worst.max() * 255 <= 32_767


def test_a_column_of_zeros_stays_one():
    integers, scale = quantise_columns(np.zeros((4, 2), np.float32))
    assert not integers.any()
    assert np.isfinite(scale).all()
    assert (scale > 0).all()


def test_smoothing_evens_out_the_channels(matrix):
    reach = np.geomspace(0.1, 50, 64).astype(np.float32)
    seen = Range(7 - reach, 7 + reach)
    smooth = derive_smoothing(seen, matrix)
    np.testing.assert_allclose(smooth.shift, 7, atol=0.02)
    evened = reach / smooth.factor
    assert evened.max() / evened.min() < reach.max() / reach.min() / 5


def test_the_last_bits_of_a_range_change_nothing(matrix):
    reach = np.geomspace(0.11, 53, 64).astype(np.float32)
    one = derive_smoothing(Range(-reach, reach), matrix)
    other = derive_smoothing(Range(-reach * 1.000001, reach * 1.000001), matrix)
    np.testing.assert_array_equal(one.factor, other.factor)
    np.testing.assert_array_equal(one.shift, other.shift)


def test_leaving_alone_changes_nothing():
    smooth = leave_alone(3)
    np.testing.assert_array_equal((np.arange(3) - smooth.shift) / smooth.factor, np.arange(3))
