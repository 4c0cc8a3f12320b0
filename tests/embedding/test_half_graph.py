import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime import InferenceSession

from serve_app.embedding.half_graph import halve
from serve_app.embedding.preparation import read_padded_graph
from serve_app.embedding.registry import MINILM
from serve_app.embedding.verification import model_folder


@pytest.fixture(scope="module")
def halved(model_directory):
    model = read_padded_graph(MINILM, model_directory, lambda line: None)
    halve(model)
    return model


def test_gives_the_vectors_of_fp32(halved, engine):
    session = InferenceSession(halved.SerializeToString(), providers=["CPUExecutionProvider"])
    tokens = [
        np.array(engine.tokenizer.encode(text).ids, np.int64)
        for text in ("yes", "Where is the key?", "She adopted a grey cat in Lisbon. " * 20)
    ]
    for ids in tokens:
        feed = {"input_ids": ids[None], "attention_mask": np.ones_like(ids)[None]}
        (vector,) = session.run(None, feed)[0]
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        cosine = float(vector @ engine.run([ids])[0])
        assert cosine >= 0.999
        assert np.abs(vector - engine.run([ids])[0]).max() > 0


def test_every_weight_is_fp16_and_half_as_large(halved, model_directory):
    kinds = {tensor.data_type for tensor in halved.graph.initializer}
    assert kinds == {TensorProto.FLOAT16, TensorProto.INT64}
    whole = (model_folder(MINILM, model_directory) / "model.onnx").stat().st_size
    assert halved.ByteSize() == pytest.approx(whole / 2, rel=0.01)


def test_only_pooling_is_fp32(halved):
    onnx.checker.check_model(halved)
    operators = [node.op_type for node in halved.graph.node]
    after = operators[operators.index("Cast", 2) :]
    assert after == ["Cast", "Cast", "Reshape", "MatMul", "Gather", "ReduceL2", "Div"]


def test_a_published_graph_is_refused():
    inputs = [helper.make_tensor_value_info("a", TensorProto.FLOAT, [1])]
    outputs = [helper.make_tensor_value_info("b", TensorProto.FLOAT, [1])]
    graph = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "g", inputs, outputs)
    with pytest.raises(ValueError, match="safetensors"):
        halve(helper.make_model(graph))


def test_what_is_not_fp32_is_refused(halved):
    with pytest.raises(ValueError, match="only an fp32 graph"):
        halve(halved)
