import numpy as np
import pytest
from onnxruntime import InferenceSession

from serve_app.embedding.bert_graph import write_bert
from serve_app.embedding.calibration import collect_rows
from serve_app.embedding.int8_graph import find_inputs, write_int8_bert
from tests.embedding import numpy_bert
from tests.embedding.test_bert_graph import HEADS, LAYERS, WIDTH, WORDS, random_weights, run


@pytest.fixture(scope="module")
def weights():
    return random_weights()


@pytest.fixture(scope="module")
def model(weights):
    random = np.random.default_rng(4)
    texts = [random.integers(0, WORDS, length).tolist() for length in [*range(2, 17)] * 4]
    exact = write_bert(weights, HEADS, "mean")
    return write_int8_bert(weights, HEADS, "mean", collect_rows(exact, find_inputs(weights), texts))


@pytest.fixture(scope="module")
def session(model):
    return InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def test_comes_close_to_the_forward_pass_of_the_paper(session, weights):
    rows = [[1, 7, 3, 49, 2], [1, 2], [1, 9, 9, 9, 30, 12, 2]]
    expected = np.array([numpy_bert.embed(weights, HEADS, row) for row in rows])
    assert (np.sum(run(session, rows, 7) * expected, axis=1) >= 0.998).all()


def test_every_dense_product_is_one_of_integers(model):
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("MatMulIntegerToFloat") == 6 * LAYERS
    # The pooling sums tokens with it.
    assert operators.count("MatMul") == 1
    assert {tensor.data_type for tensor in model.graph.initializer if ".matrix" in tensor.name} == {
        1,
        3,
    }


def test_padding_changes_nothing(session):
    row = [1, 7, 3, 2]
    np.testing.assert_allclose(run(session, [row], 4), run(session, [row], 16), atol=1e-5)


def test_neighbours_change_nothing(session):
    row = [1, 7, 3, 2]
    together = run(session, [row, [1, 40, 41, 2], [1, 5, 5, 2]], 4)
    np.testing.assert_allclose(run(session, [row], 4)[0], together[0], atol=1e-6)


def test_only_the_feed_forward_networks_inputs_share_a_scale(model):
    constants = {tensor.name for tensor in model.graph.initializer}
    quantising = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    shared = [node.output[0] for node in quantising if node.input[1] in constants]
    assert len(quantising) == 4 * LAYERS
    assert shared == [f"encoder.layer.{layer}.intermediate.numbers" for layer in range(LAYERS)]


def test_output_is_one_float32_vector_for_each_text(session):
    vectors = run(session, [[1, 2], [1, 5, 2]], 3)
    assert (vectors.shape, vectors.dtype) == ((2, WIDTH), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
