"""Turns our fp32 graph into one that computes in fp16, for devices that do so faster.

Weights and activations become fp16; pooling and normalisation stay fp32, as does the output.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAST_OF_ENCODER = "LayerNormalization"
WIDENED = "hidden.fp32"


def halve(model: onnx.ModelProto) -> None:
    """Change the graph in place; inputs and output keep their names, shapes and types.

    Raises ValueError for an int8 graph, and for one that `bert_graph` did not write: a published
    one has operators that no GPU provider takes, and masks whose numbers fp16 cannot hold.
    """
    nodes = model.graph.node
    ends = [index for index, node in enumerate(nodes) if node.op_type == LAST_OF_ENCODER]
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    if not ends or kinds != {TensorProto.FLOAT, TensorProto.INT64}:
        raise ValueError("only an fp32 graph that was written from safetensors can become fp16")
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
    _widen(model.graph, ends[-1])


def _widen(graph: onnx.GraphProto, end: int) -> None:
    """Give pooling, which is what follows the encoder's last node, fp32 token vectors."""
    hidden = graph.node[end].output[0]
    for node in list(graph.node)[end + 1 :]:
        for position, name in enumerate(node.input):
            if name == hidden:
                node.input[position] = WIDENED
    cast = helper.make_node("Cast", [hidden], [WIDENED], WIDENED, to=TensorProto.FLOAT)
    graph.node.insert(end + 1, cast)
