import numpy as np
import pytest
from onnxruntime import InferenceSession

from serve_app.embedding.packed_graph import PackedWriter

WIDTH, HEADS = 8, 2
LENGTHS = (3, 1, 5)


@pytest.fixture
def feed():
    ids = np.arange(15).reshape(3, 5)
    mask = (np.arange(5) < np.array(LENGTHS)[:, None]).astype(np.int64)
    return {"input_ids": ids, "attention_mask": mask}


@pytest.fixture
def words():
    return np.random.default_rng(2).normal(size=(15, WIDTH)).astype(np.float32)


@pytest.fixture
def writer(words):
    """Its `texts` are (batch, tokens, width)."""
    writer = PackedWriter(WIDTH, HEADS)
    writer.add_node("Gather", [writer.add_tensor("words", words), "input_ids"], "texts")
    return writer


def compute(writer, rows, feed, name):
    """What a model has under a name."""
    model = writer.finish(rows, "mean", "tiny")
    del model.graph.output[:]
    model.graph.output.add().name = name
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([name], feed)[0]


def test_packs_the_real_tokens_in_order(writer, words, feed):
    rows = writer.pack("texts", "rows")
    real = [0, 1, 2, 5, 10, 11, 12, 13, 14]
    np.testing.assert_array_equal(compute(writer, rows, feed, "rows"), words[real])


def test_unpacks_every_real_token_to_its_place(writer, words, feed):
    rows = writer.pack("texts", "rows")
    back = compute(writer, rows, feed, "hidden")
    assert back.shape == (3, 5, WIDTH)
    for text, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(back[text, :length], words[text * 5 : text * 5 + length])


def test_attends_to_the_real_tokens_of_the_same_text(writer, words, feed):
    projections = [writer.pack("texts", part) for part in ("query", "key", "value")]
    mixed = compute(writer, writer.attend(projections, "mixed"), feed, "mixed")
    expected = np.concatenate(
        [attend(words[text * 5 : text * 5 + length]) for text, length in enumerate(LENGTHS)]
    )
    np.testing.assert_allclose(mixed, expected, atol=1e-5)


def attend(text):
    heads = np.split(text, HEADS, axis=1)
    scores = [head @ head.T / np.sqrt(WIDTH / HEADS) for head in heads]
    weights = [np.exp(score) / np.exp(score).sum(axis=1, keepdims=True) for score in scores]
    return np.concatenate([mix @ head for mix, head in zip(weights, heads, strict=True)], axis=1)


def test_a_norm_is_that_of_each_row(writer, words, feed):
    rows = writer.pack("texts", "rows")
    scale, shift = np.full(WIDTH, 2, np.float32), np.full(WIDTH, 3, np.float32)
    normalised = compute(writer, writer.add_norm(rows, "n", scale, shift), feed, "n.normalised")
    np.testing.assert_allclose(normalised.mean(axis=1), 3, atol=1e-5)
    np.testing.assert_allclose(normalised.std(axis=1), 2, atol=1e-4)
