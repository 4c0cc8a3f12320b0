from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.embedding.shape_buckets import (
    LARGEST,
    LAUNCH,
    Bucket,
    choose_bucket,
    fill_buckets,
    list_buckets,
)

BUCKETS = list_buckets(256)


def shapes_of(lengths):
    return [filling.bucket for filling in fill_buckets(lengths, BUCKETS)]


def price(fillings):
    return sum(filling.bucket.tokens + LAUNCH for filling in fillings)


def cheapest(lengths):
    """The least price of cutting the sorted texts anywhere, found by trying every cut."""
    ordered = sorted(lengths)

    @cache
    def price_of(count):
        if count == 0:
            return 0
        return min(
            price_of(first) + bucket.tokens + LAUNCH
            for first in range(count)
            for bucket in BUCKETS
            if bucket.batch >= count - first and bucket.length >= ordered[count - 1]
        )

    return price_of(len(ordered))


def test_lists_the_shapes_up_to_the_largest():
    assert len(BUCKETS) == 36
    assert BUCKETS[0] == Bucket(1, 16)
    assert Bucket(256, 64) in BUCKETS
    assert Bucket(256, 96) not in BUCKETS
    assert Bucket(64, 256) in BUCKETS
    assert max(bucket.tokens for bucket in BUCKETS) == LARGEST


@pytest.mark.parametrize(("limit", "longest"), [(512, 512), (256, 256), (100, 100)])
def test_the_longest_shape_is_what_the_model_reads(limit, longest):
    assert max(bucket.length for bucket in list_buckets(limit)) == longest


@pytest.mark.parametrize(
    ("rows", "longest", "expected"),
    [
        (1, 1, Bucket(1, 16)),
        (1, 16, Bucket(1, 16)),
        (1, 17, Bucket(1, 32)),
        (2, 200, Bucket(4, 256)),
        (256, 64, Bucket(256, 64)),
        (256, 65, None),
        (257, 8, None),
        (1, 257, None),
    ],
)
def test_chooses_the_cheapest_that_holds_all(rows, longest, expected):
    assert choose_bucket(BUCKETS, rows, longest) == expected


def test_one_text_runs_alone():
    assert shapes_of([9]) == [Bucket(1, 16)]


def test_no_texts_run_nothing():
    assert fill_buckets([], BUCKETS) == []


def test_a_text_more_than_a_shape_holds_does_not_quadruple_the_work():
    assert sorted(shapes_of([32] * 65)) == [Bucket(1, 32), Bucket(64, 32)]


def test_a_few_short_texts_share_a_launch():
    assert shapes_of([10] * 3) == [Bucket(4, 16)]


def test_a_long_text_does_not_stretch_the_short_ones():
    assert sorted(shapes_of([10] * 64 + [250])) == [Bucket(1, 256), Bucket(64, 16)]


def test_more_texts_than_the_largest_shape_holds():
    assert sorted(shapes_of([16] * 512)) == [Bucket(256, 16)] * 2


def test_a_text_longer_than_every_shape_is_refused():
    with pytest.raises(ValueError, match="257 tokens"):
        fill_buckets([3, 257], BUCKETS)


@given(st.lists(st.integers(1, 256), max_size=600))
def test_each_text_is_in_one_filling_that_holds_it(lengths):
    fillings = fill_buckets(lengths, BUCKETS)
    texts = [text for filling in fillings for text in filling.texts]
    assert sorted(texts) == list(range(len(lengths)))
    for filling in fillings:
        assert filling.bucket in BUCKETS
        assert 1 <= len(filling.texts) <= filling.bucket.batch
        assert all(lengths[text] <= filling.bucket.length for text in filling.texts)


@given(st.lists(st.integers(1, 256), max_size=24))
def test_no_other_cut_is_cheaper(lengths):
    assert price(fill_buckets(lengths, BUCKETS)) == cheapest(tuple(lengths))
