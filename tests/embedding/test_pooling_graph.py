import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime import InferenceSession

from serve_app.embedding.pooling_graph import append_pooling

HIDDEN = np.array(
    [[[3, 4, 0], [0, 0, 5], [9, 9, 9]], [[0, 2, 0], [1, 1, 0], [1, 0, 3]]], np.float32
)
MASK = np.array([[1, 1, 0], [1, 1, 1]], np.int64)


def pass_through(opset: int) -> onnx.ModelProto:
    """A graph that gives back the token vectors it is given."""
    inputs = [
        helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["batch", "tokens", 3]),
        helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "tokens"]),
    ]
    output = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", "tokens", 3])
    node = helper.make_node("Identity", ["hidden"], ["out"])
    graph = helper.make_graph([node], "g", inputs, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.mark.parametrize("opset", [11, 17, 18, 20])
@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("cls", [[0.6, 0.8, 0], [0, 1, 0]]),
        ("mean", np.array([[3, 4, 5], [2, 3, 3]]) / np.sqrt([[50], [22]])),
    ],
)
def test_pools_real_tokens_to_unit_length(pooling, expected, opset):
    model = pass_through(opset)
    append_pooling(model, 3, pooling)
    onnx.checker.check_model(model)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (vectors,) = session.run(None, {"hidden": HIDDEN, "attention_mask": MASK})
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_refuses_an_opset_it_cannot_speak():
    with pytest.raises(ValueError, match="opset 10"):
        append_pooling(pass_through(10), 3, "cls")
