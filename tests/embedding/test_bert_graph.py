import numpy as np
import pytest
from onnxruntime import InferenceSession

from serve_app.embedding.bert_graph import count_layers, write_bert
from tests.embedding import numpy_bert

HEADS, WIDTH, WIDE, WORDS, POSITIONS, LAYERS = 4, 32, 64, 50, 16, 2


def random_weights():
    """A tiny BERT; its numbers are large enough that every part matters."""
    random = np.random.default_rng(1)

    def tensor(*shape):
        return random.normal(0, 0.3, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": tensor(WORDS, WIDTH),
        "embeddings.position_embeddings.weight": tensor(POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": tensor(2, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}"
        norms += [f"{prefix}.attention.output.LayerNorm", f"{prefix}.output.LayerNorm"]
        for name, outputs, inputs in (
            ("attention.self.query", WIDTH, WIDTH),
            ("attention.self.key", WIDTH, WIDTH),
            ("attention.self.value", WIDTH, WIDTH),
            ("attention.output.dense", WIDTH, WIDTH),
            ("intermediate.dense", WIDE, WIDTH),
            ("output.dense", WIDTH, WIDE),
        ):
            weights[f"{prefix}.{name}.weight"] = tensor(outputs, inputs)
            weights[f"{prefix}.{name}.bias"] = tensor(outputs)
    for norm in norms:
        weights[f"{norm}.weight"] = 1 + tensor(WIDTH)
        weights[f"{norm}.bias"] = tensor(WIDTH)
    return weights


@pytest.fixture(scope="module")
def weights():
    return random_weights()


@pytest.fixture(scope="module")
def session(weights):
    model = write_bert(weights, HEADS, "mean")
    return InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(session, rows, length):
    ids = np.zeros((len(rows), length), np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


def test_equals_the_forward_pass_of_the_paper(session, weights):
    rows = [[1, 7, 3, 49, 2], [1, 2], [1, 9, 9, 9, 30, 12, 2]]
    expected = [numpy_bert.embed(weights, HEADS, row) for row in rows]
    np.testing.assert_allclose(run(session, rows, 7), expected, atol=2e-5)


def test_padding_changes_nothing(session):
    row = [1, 7, 3, 2]
    np.testing.assert_allclose(run(session, [row], 4), run(session, [row], 16), atol=1e-5)


def test_output_is_one_float32_vector_for_each_text(session):
    vectors = run(session, [[1, 2], [1, 5, 2]], 3)
    assert (vectors.shape, vectors.dtype) == ((2, WIDTH), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_counts_layers(weights):
    assert count_layers(weights) == LAYERS
