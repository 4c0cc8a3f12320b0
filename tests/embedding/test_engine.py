import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from serve_app.core.errors import ModelUnavailable
from serve_app.embedding import engine as engine_module
from serve_app.embedding.engine import Engine
from serve_app.embedding.registry import MINILM
from serve_app.embedding.verification import model_folder
from tests.embedding import numpy_bert
from tests.embedding.hub import packaged_tokenizer

HELLO_WORLD = [-0.0344773, 0.0310232, 0.0067350, 0.0261090, -0.0393620]
"""What sentence-transformers itself gives for the first five numbers of "hello world"."""

UNSEEN = (
    "We missed the last ferry and slept in a barn near the lighthouse.",
    "Does the new printer work with the old cartridges?",
    "Ibrahim teaches physics at the evening school on Mondays.",
    "The grant of 40,000 pounds ends in September 2027.",
    "haha ok, see you there then",
    "An index on both columns made the report forty times faster.",
    "My father repairs clocks, and my mother sells them at the market.",
    "Which vaccine did the children get before the journey to Peru?",
)


def tokens_of(engine, text):
    return np.array(engine.tokenizer.encode(text).ids, np.int64)


def test_gives_the_numbers_that_the_authors_library_gives(engine):
    (vector,) = engine.run([tokens_of(engine, "hello world")])
    np.testing.assert_allclose(vector[:5], HELLO_WORLD, atol=1e-6)


def test_equals_a_forward_pass_in_numpy(engine):
    weights = load_file(packaged_tokenizer().parent / "model.safetensors")
    tokens = tokens_of(engine, "She adopted a grey cat in Lisbon on the 4th of May, 2023.")
    expected = numpy_bert.embed(weights, MINILM.heads, tokens)
    np.testing.assert_allclose(engine.run([tokens])[0], expected, atol=1e-5)


def test_a_vector_does_not_depend_on_its_neighbours(engine):
    texts = ["short", "a text of middling length that is padded", "the longest " * 80, "so"]
    together = engine.run([tokens_of(engine, text) for text in texts])
    alone = np.concatenate([engine.run([tokens_of(engine, text)]) for text in texts])
    assert (np.sum(together * alone, axis=1) >= 0.99999).all()


@pytest.mark.parametrize("precision", ["engine", "int8_engine"])
def test_a_neighbour_of_any_kind_leaves_a_vector_as_it_is(precision, request):
    engine = request.getfixturevalue(precision)
    text = tokens_of(engine, "the nurse wrote down the dose and the hour")
    tokens = len(text)
    neighbours = [np.random.default_rng(seed).integers(1000, 20_000, tokens) for seed in range(7)]
    alone = engine.run([text])[0]
    for together in (engine.run([*neighbours, text])[-1], engine.run([text, *neighbours])[0]):
        assert float(alone @ together) >= 0.99999
    padded = engine.run([text, np.full(200, 2000)])[0]
    assert float(alone @ padded) >= 0.99999


def test_int8_is_close_to_fp32_on_sentences_it_was_not_calibrated_on(engine, int8_engine):
    texts = [tokens_of(engine, text) for text in UNSEEN]
    cosines = np.sum(engine.run(texts) * int8_engine.run(texts), axis=1)
    assert cosines.mean() >= 0.999
    assert cosines.min() >= 0.996


def test_vectors_are_unit_length_float32(engine):
    vectors = engine.run([tokens_of(engine, text) for text in ("", "one", "one two")])
    assert (vectors.shape, vectors.dtype) == ((3, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_reads_as_many_tokens_as_the_model_has_positions(engine):
    assert engine.run([np.full(MINILM.max_tokens, 2000)]).shape == (1, 384)


def test_warms_up(engine):
    engine.warm_up()


def test_runs_on_the_processor_whatever_else_is_there(engine):
    assert engine._session.get_providers() == ["CPUExecutionProvider"]


def test_the_tokenizer_sees_whole_texts(engine):
    assert len(engine.tokenizer.encode("word " * 1000).ids) == 1002


def test_zero_threads_are_the_usable_cores(model_directory, monkeypatch):
    monkeypatch.setattr(engine_module, "count_usable_cores", lambda: 2)
    engine = Engine(MINILM, model_directory, threads=0)
    assert engine._session.get_session_options().intra_op_num_threads == 2


def test_a_model_with_a_wrong_sha256_is_not_loaded(model_directory, tmp_path):
    folder = model_folder(MINILM, tmp_path)
    shutil.copytree(model_folder(MINILM, model_directory), folder)
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelUnavailable, match=r"model\.onnx has a wrong sha256"):
        Engine(MINILM, tmp_path, threads=1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (np.full((1, 384), np.nan, np.float32), ArithmeticError),
        (np.full((1, 384), 1.0, np.float32), ModelUnavailable),
        (np.zeros((1, 3), np.float32), ModelUnavailable),
    ],
)
def test_what_is_no_unit_vector_never_warms_up(model_directory, monkeypatch, answer, error):
    class BrokenSession:
        def run(self, outputs, feed):
            return [np.repeat(answer, len(feed["input_ids"]), axis=0)]

    engine = Engine(MINILM, model_directory, threads=1)
    monkeypatch.setattr(engine, "_session", BrokenSession())
    with pytest.raises(error):
        engine.warm_up()
