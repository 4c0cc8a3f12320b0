"""The end of every graph: token vectors become one unit vector for each text.

Inputs `input_ids` and `attention_mask`: (batch, tokens), int64. Output `embedding`:
(batch, dimension), float32, unit length.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from serve_app.embedding.registry import Pooling

AXES_AS_INPUT = 18
"""The opset from which ReduceL2 takes its axes as an input instead of an attribute."""

OPSETS = range(11, 21)
"""The opsets in which this pooling can be said."""


class GraphWriter:
    """Collects nodes and tensors; its methods return the name of what they added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def add_tensor(self, name: str, value: NDArray[np.generic]) -> str:
        """Add a constant."""
        self.tensors.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def add_node(
        self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any
    ) -> str:
        """Add an operation with one named output; an empty input name leaves that input out."""
        node = helper.make_node(operator, inputs, [output], output, domain=domain, **attributes)
        self.nodes.append(node)
        return output


def add_pooling(writer: GraphWriter, hidden: str, pooling: Pooling, opset: int) -> None:
    """Pool `hidden`, (batch, tokens, dimension), into `embedding`."""
    source = hidden if pooling == "cls" else _add_weighted_sum(writer, hidden)
    first = writer.add_tensor("pool.first", np.array(0, np.int64))
    pooled = writer.add_node("Gather", [source, first], "pool.vector", axis=1)
    if opset < AXES_AS_INPUT:
        length = writer.add_node("ReduceL2", [pooled], "pool.length", axes=[1], keepdims=1)
    else:
        axes = writer.add_tensor("pool.axes", np.array([1], np.int64))
        length = writer.add_node("ReduceL2", [pooled, axes], "pool.length", keepdims=1)
    writer.add_node("Div", [pooled, length], "embedding")


def append_pooling(model: onnx.ModelProto, dimension: int, pooling: Pooling) -> None:
    """Change a graph whose first output is (batch, tokens, dimension) into one of embeddings.

    Raises ValueError when the graph's opset is not among OPSETS.
    """
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset not in OPSETS:
        raise ValueError(f"cannot add pooling to a graph of opset {opset}")
    writer = GraphWriter()
    add_pooling(writer, model.graph.output[0].name, pooling, opset)
    model.graph.node.extend(writer.nodes)
    model.graph.initializer.extend(writer.tensors)
    del model.graph.output[:]
    model.graph.output.append(describe_output(dimension))


def describe_output(dimension: int) -> onnx.ValueInfoProto:
    """The declaration of `embedding`."""
    return helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dimension])


def _add_weighted_sum(writer: GraphWriter, hidden: str) -> str:
    """The sum over real tokens, (batch, 1, dimension); as a direction it equals their mean."""
    weights = writer.add_node("Cast", ["attention_mask"], "pool.mask", to=TensorProto.FLOAT)
    shape = writer.add_tensor("pool.shape", np.array([0, 1, -1], np.int64))
    row = writer.add_node("Reshape", [weights, shape], "pool.row")
    return writer.add_node("MatMul", [row, hidden], "pool.sum")
