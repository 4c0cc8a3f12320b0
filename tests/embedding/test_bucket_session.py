import numpy as np
import pytest
from onnxruntime import InferenceSession

from serve_app.embedding.bucket_session import BucketSession
from serve_app.embedding.half_preparation import prepare_half
from serve_app.embedding.registry import MINILM
from serve_app.embedding.shape_buckets import Bucket

BUCKETS = tuple(Bucket(batch, length) for batch in (1, 4) for length in (16, 64))


@pytest.fixture(scope="module")
def session(model_directory):
    folder = prepare_half(MINILM, model_directory, lambda line: None)
    return InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def shapes(session):
    return BucketSession(session, BUCKETS, MINILM.dimension, "cpu")


@pytest.fixture(scope="module")
def texts(engine):
    said = ["short", "a text of middling length", "the longest " * 20, "so", "it is " * 9, "yes"]
    return [np.array(engine.tokenizer.encode(text).ids, np.int64) for text in said]


def cosines(left, right):
    return np.sum(left * right, axis=1)


def test_gives_the_vectors_of_fp32_in_order(shapes, engine, texts):
    assert (cosines(shapes.run(texts), engine.run(texts)) >= 0.999).all()


def test_a_vector_does_not_depend_on_its_neighbours_or_on_what_ran_before(shapes, texts):
    together = shapes.run(texts)
    alone = np.concatenate([shapes.run([ids]) for ids in reversed(texts)])[::-1]
    assert (cosines(together, alone) >= 0.9999).all()


def test_what_a_caller_has_does_not_change_later(shapes, texts):
    first = shapes.run(texts[:1])
    kept = first.copy()
    shapes.run(texts[1:2])
    np.testing.assert_array_equal(first, kept)


def test_rows_of_padding_are_numbers(shapes, texts):
    shape = shapes.shapes[Bucket(4, 16)]
    shape.run(texts[:1])
    assert np.isfinite(shape._output.numpy()).all()


def test_each_shape_has_a_graph_and_buffers_of_its_own(shapes):
    entries = {s._options.get_run_config_entry("gpu_graph_id") for s in shapes.shapes.values()}
    assert entries == {"1", "2", "3", "4"}


def test_a_text_longer_than_every_shape_is_refused(shapes):
    with pytest.raises(ValueError, match="65 tokens"):
        shapes.run([np.full(65, 2000)])
