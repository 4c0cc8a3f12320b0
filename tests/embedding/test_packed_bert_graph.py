import numpy as np
import pytest
from onnxruntime import InferenceSession

from serve_app.embedding.packed_bert_graph import write_packed_bert
from tests.embedding import numpy_bert
from tests.embedding.test_bert_graph import HEADS, LAYERS, WIDTH, random_weights, run


@pytest.fixture(scope="module")
def weights():
    return random_weights()


@pytest.fixture(scope="module")
def model(weights):
    return write_packed_bert(weights, HEADS, "mean")


@pytest.fixture(scope="module")
def session(model):
    return InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("padding", [0, 5])
def test_equals_the_forward_pass_of_the_paper(session, weights, padding):
    rows = [[1, 7, 3, 49, 2], [1, 2], [1, 9, 9, 9, 30, 12, 2]]
    expected = [numpy_bert.embed(weights, HEADS, row) for row in rows]
    np.testing.assert_allclose(run(session, rows, 7 + padding), expected, atol=2e-5)


def test_the_vector_of_the_first_token_is_that_of_each_text(weights):
    model = write_packed_bert(weights, HEADS, "cls")
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = [[1, 7, 3], [4, 2], [9, 9, 9]]
    together = run(session, rows, 3)
    alone = np.concatenate([run(session, [row], len(row)) for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(together[0] - together[2]).max() > 0.01


def test_output_is_one_float32_vector_for_each_text(session):
    vectors = run(session, [[1, 2], [1, 5, 2]], 3)
    assert (vectors.shape, vectors.dtype) == ((2, WIDTH), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_dense_layers_read_rows(model):
    matrices = {tensor.name for tensor in model.graph.initializer if ".matrix" in tensor.name}
    products = [node for node in model.graph.node if matrices.intersection(node.input)]
    assert len(products) == 6 * LAYERS
    assert not any(".texts" in name for node in products for name in node.input)
