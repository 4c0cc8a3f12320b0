"""Writes a BERT encoder as an ONNX graph, straight from its safetensors.

Every shape follows from the inputs' shapes, as a CUDA graph needs; a processor runs the graph of
`packed_bert_graph`.

BERT: Devlin et al. 2018, arXiv:1810.04805. The fused operators are those of ONNX Runtime's
docs/ContribOperators.md; inputs and output are those of `pooling_graph`.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from serve_app.embedding.pooling_graph import GraphWriter, add_pooling, describe_output
from serve_app.embedding.registry import Pooling

Weights = Mapping[str, NDArray[np.float32]]

LAYER_NORM_EPSILON = 1e-12
FUSED = "com.microsoft"
PARTS = ("query", "key", "value")
"""What attention makes of its input, as its tensors are named."""

OPSET = 18
IR_VERSION = 10


def write_bert(weights: Weights, heads: int, pooling: Pooling) -> onnx.ModelProto:
    """The graph of the encoder whose tensors these are, named as Hugging Face names them."""
    writer = GraphWriter()
    writer.add_node("Cast", ["input_ids"], "ids", to=TensorProto.INT32)
    writer.add_node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    hidden = add_embeddings(writer, weights)
    for number in range(count_layers(weights)):
        hidden = _add_layer(writer, weights, f"encoder.layer.{number}.", hidden, heads)
    add_pooling(writer, hidden, pooling, OPSET)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = describe_output(weights["embeddings.word_embeddings.weight"].shape[1])
    graph = helper.make_graph(writer.nodes, "bert", inputs, [output], writer.tensors)
    versions = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
    return helper.make_model(graph, opset_imports=versions, ir_version=IR_VERSION)


def count_layers(weights: Weights) -> int:
    """How many layers the encoder has."""
    return sum(name.endswith("attention.self.query.weight") for name in weights)


def add_embeddings(writer: GraphWriter, weights: Weights) -> str:
    """Word, position and segment vectors, summed and normalised."""
    prefix = "embeddings."
    # Every token is of segment 0, so that segment's vector is added to all positions beforehand.
    segment = weights[prefix + "token_type_embeddings.weight"][0]
    inputs = [
        "ids",
        "",
        writer.add_tensor("words", weights[prefix + "word_embeddings.weight"]),
        writer.add_tensor("positions", weights[prefix + "position_embeddings.weight"] + segment),
        "",
        writer.add_tensor("words.scale", weights[prefix + "LayerNorm.weight"]),
        writer.add_tensor("words.shift", weights[prefix + "LayerNorm.bias"]),
    ]
    outputs = ["words.normalised", "words.mask_index"]
    node = helper.make_node(
        "EmbedLayerNormalization", inputs, outputs, domain=FUSED, epsilon=LAYER_NORM_EPSILON
    )
    writer.nodes.append(node)
    return "words.normalised"


def _add_layer(writer: GraphWriter, weights: Weights, prefix: str, hidden: str, heads: int) -> str:
    """Self-attention and the feed-forward network, each added to its input and normalised."""
    attended = _add_attention(writer, weights, prefix + "attention.self.", hidden, heads)
    mixed = _add_product(writer, weights, prefix + "attention.output.dense", attended)
    middle = _add_sum(writer, weights, prefix + "attention.output", mixed, hidden)
    wide = _add_product(writer, weights, prefix + "intermediate.dense", middle)
    bias = writer.add_tensor(prefix + "wide.bias", weights[prefix + "intermediate.dense.bias"])
    bent = writer.add_node("BiasGelu", [wide, bias], prefix + "bent", FUSED)
    narrow = _add_product(writer, weights, prefix + "output.dense", bent)
    return _add_sum(writer, weights, prefix + "output", narrow, middle)


def _add_attention(
    writer: GraphWriter, weights: Weights, prefix: str, hidden: str, heads: int
) -> str:
    """Attention over real tokens; the three projections are one matrix, as the operator wants."""
    parts = [prefix + part for part in PARTS]
    matrix = np.concatenate([weights[f"{part}.weight"].T for part in parts], axis=1)
    bias = np.concatenate([weights[f"{part}.bias"] for part in parts])
    inputs = [
        hidden,
        writer.add_tensor(prefix + "matrix", matrix),
        writer.add_tensor(prefix + "bias", bias),
        "mask",
    ]
    return writer.add_node("Attention", inputs, prefix + "attended", FUSED, num_heads=heads)


def _add_product(writer: GraphWriter, weights: Weights, name: str, source: str) -> str:
    """`source` times a dense layer's matrix; its bias is left to the fused node that follows."""
    matrix = writer.add_tensor(f"{name}.matrix", weights[f"{name}.weight"].T)
    return writer.add_node("MatMul", [source, matrix], f"{name}.product")


def _add_sum(writer: GraphWriter, weights: Weights, name: str, product: str, residual: str) -> str:
    """The layer norm of product + bias + residual."""
    bias = writer.add_tensor(f"{name}.bias", weights[f"{name}.dense.bias"])
    # Sum and norm apart: the fused operator takes six times as long on a CPU.
    total = writer.add_node("Sum", [product, residual, bias], f"{name}.total")
    inputs = [
        total,
        writer.add_tensor(f"{name}.scale", weights[f"{name}.LayerNorm.weight"]),
        writer.add_tensor(f"{name}.shift", weights[f"{name}.LayerNorm.bias"]),
    ]
    output = f"{name}.normalised"
    return writer.add_node("LayerNormalization", inputs, output, epsilon=LAYER_NORM_EPSILON)
