import numpy as np
import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.embedding.canary import TEXTS, Canary, read_canary, write_canary


@pytest.fixture
def canary():
    vectors = np.eye(3, 4, dtype=np.float32)
    return Canary((np.arange(3), np.arange(20), np.arange(5)), vectors)


def turn(vector, degrees):
    """Another unit vector at that angle."""
    radians = np.deg2rad(degrees)
    aside = np.array([0, 0, 0, 1], np.float32)
    return (np.cos(radians) * vector + np.sin(radians) * aside).astype(np.float32)


def test_comes_back_from_its_file_as_it_was(canary, tmp_path):
    write_canary(tmp_path / "canary.npz", canary)
    read = read_canary(tmp_path / "canary.npz")
    assert [ids.tolist() for ids in read.token_ids] == [ids.tolist() for ids in canary.token_ids]
    np.testing.assert_array_equal(read.vectors, canary.vectors)


def test_selects_what_a_shape_holds(canary):
    selected = canary.select(16)
    assert [len(ids) for ids in selected.token_ids] == [3, 5]
    np.testing.assert_array_equal(selected.vectors, canary.vectors[[0, 2]])


def test_repeats_its_texts_in_turns(canary):
    repeated = canary.repeat(5)
    assert [len(ids) for ids in repeated.token_ids] == [3, 20, 5, 3, 20]
    np.testing.assert_array_equal(repeated.vectors[3], canary.vectors[0])


def test_near_vectors_pass(canary):
    canary.require_match(np.stack([turn(vector, 2) for vector in canary.vectors]), "cuda")


@pytest.mark.parametrize("row", [0, 1, 2])
def test_one_vector_that_is_off_is_refused(canary, row):
    vectors = canary.vectors.copy()
    vectors[row] = turn(vectors[row], 3)
    with pytest.raises(ConfigurationError, match=r"cosine 0\.9986, 0\.999 is wanted"):
        canary.require_match(vectors, "cuda")


def test_a_number_that_is_none_is_refused(canary):
    with pytest.raises(ConfigurationError, match="cosine nan"):
        canary.require_match(np.full_like(canary.vectors, np.nan), "cuda")


def test_its_texts_are_of_many_lengths_and_none_too_long(engine):
    counts = [len(engine.tokenizer.encode(text).ids) for text in TEXTS]
    assert min(counts) == 3
    assert 192 < max(counts) <= 256
