"""Writes a BERT encoder whose matrix products are in integers; the rest stays in float32.

Every token row has an input scale of its own, so a vector does not depend on its neighbours.
Norms write their output smoothed, ready for the next product; the residual takes it back.
Inputs and output are those of `pooling_graph`.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from serve_app.embedding.bert_graph import (
    FUSED,
    IR_VERSION,
    LAYER_NORM_EPSILON,
    OPSET,
    Weights,
    add_embeddings,
)
from serve_app.embedding.pooling_graph import GraphWriter, add_pooling, describe_output
from serve_app.embedding.quantisation import (
    LARGEST,
    Floats,
    Ranges,
    Smoothing,
    derive_smoothing,
    leave_alone,
    quantise_columns,
)
from serve_app.embedding.registry import Pooling

MIDDLE = 128
"""The byte that means 0 where an input has both signs."""

GELU_ZERO = 24
"""The byte that means 0 after GELU, whose values reach less far down than up."""

GELU_DEPTH = 0.1701
"""How far below 0 GELU goes."""

PARTS = ("query", "key", "value")


def find_inputs(weights: Weights) -> dict[str, str]:
    """The matrices whose inputs are smoothed, and what `write_bert` calls those inputs."""
    places: dict[str, str] = {}
    hidden = "words.normalised"
    for layer in range(count_layers(weights)):
        prefix = f"encoder.layer.{layer}."
        places[prefix + "attention.self"] = hidden
        places[prefix + "attention.output"] = prefix + "attention.self.attended"
        places[prefix + "intermediate"] = prefix + "attention.output.normalised"
        hidden = prefix + "output.normalised"
    return places


def count_layers(weights: Weights) -> int:
    """How many layers the encoder has."""
    return sum(name.endswith("attention.self.query.weight") for name in weights)


def write_int8_bert(
    weights: Weights, heads: int, pooling: Pooling, ranges: Ranges
) -> onnx.ModelProto:
    """The integer graph of the encoder; `ranges` has every key of `find_inputs`."""
    encoder = _Encoder(weights, heads, ranges)
    hidden = encoder.add_layers()
    writer = encoder.writer
    add_pooling(writer, hidden, pooling, OPSET)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = describe_output(encoder.width)
    graph = helper.make_graph(writer.nodes, "bert-int8", inputs, [output], writer.tensors)
    versions = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
    return helper.make_model(graph, opset_imports=versions, ir_version=IR_VERSION)


class _Quantised:
    """Names in the graph: bytes (rows, channels), scales (rows, 1), and the byte of 0."""

    def __init__(self, numbers: str, scales: str, zero: str) -> None:
        self.numbers, self.scales, self.zero = numbers, scales, zero


class _IntegerWriter(GraphWriter):
    """Adds products of integers; float rows are (batch * tokens, channels)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.add_node("Cast", ["input_ids"], "ids", to=TensorProto.INT32)
        self.add_node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
        self.add_tensor("one", np.array(1, np.float32))
        self.add_tensor("last", np.array([1], np.int64))
        self.add_tensor("width", np.array([width], np.int64))
        self.add_tensor("rows.shape", np.array([-1, width], np.int64))
        self.add_tensor("flat.shape", np.array([-1], np.int64))
        self.add_node("Shape", ["ids"], "text.shape")
        self.add_node("Concat", ["text.shape", "width"], "texts.shape", axis=0)
        self.add_node("Shape", [self.add_node("Reshape", ["ids", "flat.shape"], "flat")], "count")
        for zero in (MIDDLE, GELU_ZERO):
            value = helper.make_tensor(f"zero.{zero}.value", TensorProto.UINT8, [1], [zero])
            self.add_node("ConstantOfShape", ["count"], f"zeros.{zero}", value=value)
            self.add_tensor(f"zero.{zero}", np.array(zero, np.uint8))
        self.add_tensor("step", np.array(1 / LARGEST, np.float32))
        self.add_tensor("gelu.step", np.array(1 / (255 - GELU_ZERO), np.float32))
        # Deep enough for all that GELU gives, and never 0.
        self.add_tensor("gelu.least", np.array(GELU_DEPTH / GELU_ZERO, np.float32))
        self.add_tensor("least", np.array(1e-9, np.float32))

    def quantise(self, rows: str, name: str) -> _Quantised:
        """By the largest absolute value of each row."""
        size = self.add_node("Abs", [rows], f"{name}.size")
        return self._quantise(rows, size, name, ("step", "least", MIDDLE))

    def quantise_bent(self, rows: str, name: str) -> _Quantised:
        """What GELU gave, by the largest value of each row."""
        return self._quantise(rows, rows, name, ("gelu.step", "gelu.least", GELU_ZERO))

    def multiply(self, rows: _Quantised, matrix: Floats, name: str) -> str:
        """Rows times a constant matrix (inputs, outputs), in float32 again."""
        integers, scale = quantise_columns(matrix)
        inputs = [
            rows.numbers,
            self.add_tensor(f"{name}.matrix", integers),
            "one",
            self.add_tensor(f"{name}.matrix.scale", scale),
            rows.zero,
        ]
        unscaled = self.add_node("MatMulIntegerToFloat", inputs, f"{name}.unscaled", FUSED)
        return self.add_node("Mul", [unscaled, rows.scales], f"{name}.product")

    def normalise(self, parts: Sequence[str], name: str, bias: Floats, norm: Smoothing) -> str:
        """Layer norm of the sum of parts and bias; `norm` is the norm's own scale and shift."""
        # Sum and norm apart: the fused operator takes six times as long on a CPU.
        total = self.add_node(
            "Sum", [*parts, self.add_tensor(f"{name}.bias", bias)], f"{name}.total"
        )
        inputs = [
            total,
            self.add_tensor(f"{name}.scale", norm.factor),
            self.add_tensor(f"{name}.shift", norm.shift),
        ]
        output = f"{name}.normalised"
        return self.add_node("LayerNormalization", inputs, output, epsilon=LAYER_NORM_EPSILON)

    def _quantise(self, rows: str, size: str, name: str, how: tuple[str, str, int]) -> _Quantised:
        step, least, zero = how
        top = self.add_node("ReduceMax", [size, "last"], f"{name}.top", keepdims=0)
        exact = self.add_node("Mul", [top, step], f"{name}.rows.exact")
        scale = self.add_node("Max", [exact, least], f"{name}.rows.scale")
        numbers = self.add_node(
            "QuantizeLinear", [rows, scale, f"zeros.{zero}"], f"{name}.numbers", axis=0
        )
        column = self.add_node("Unsqueeze", [scale, "last"], f"{name}.column")
        return _Quantised(numbers, column, f"zero.{zero}")


class _Encoder:
    """Walks the layers; hidden rows are smoothed for whatever reads them next."""

    def __init__(self, weights: Weights, heads: int, ranges: Ranges) -> None:
        self._weights, self._heads, self._ranges = weights, heads, ranges
        self.width = weights["embeddings.word_embeddings.weight"].shape[1]
        self._layers = count_layers(weights)
        self.writer = _IntegerWriter(self.width)

    def add_layers(self) -> str:
        """The token vectors, (batch, tokens, width)."""
        embedded = add_embeddings(self.writer, self._absorb("embeddings", self._smooth_layer(0)))
        hidden = self.writer.add_node("Reshape", [embedded, "rows.shape"], "words.rows")
        for layer in range(self._layers):
            hidden = self._add_layer(layer, hidden)
        return self.writer.add_node("Reshape", [hidden, "texts.shape"], "hidden")

    def _add_layer(self, layer: int, hidden: str) -> str:
        prefix, smooth = f"encoder.layer.{layer}.", self._smooth_layer(layer)
        middle_smooth = self._smooth(prefix + "intermediate", prefix + "intermediate.dense")
        mixed, bias = self._add_attention(prefix, hidden, smooth)
        middle = self._add_norm(
            prefix + "attention.output", (mixed, hidden), bias, (smooth, middle_smooth)
        )
        narrow = self._add_feed_forward(prefix, middle, middle_smooth)
        smooths = (middle_smooth, self._smooth_layer(layer + 1))
        bias = self._weights[prefix + "output.dense.bias"]
        return self._add_norm(prefix + "output", (narrow, middle), bias, smooths)

    def _add_attention(self, prefix: str, hidden: str, smooth: Smoothing) -> tuple[str, Floats]:
        """The mixed rows and the bias that they still lack."""
        name = prefix + "attention.self"
        writer, rows = self.writer, self.writer.quantise(hidden, name)
        output, output_bias = self._dense(prefix + "attention.output.dense")
        after = self._smooth(prefix + "attention.output", prefix + "attention.output.dense")
        inputs: list[str] = []
        biases: list[Floats] = []
        for part in PARTS:
            matrix, bias = self._dense(f"{name}.{part}", smooth)
            if part == "value":
                # Attention's weights sum to 1, so its output is smoothed with the values.
                matrix, bias = matrix / after.factor, (bias - after.shift) / after.factor
            product = writer.multiply(rows, matrix, f"{name}.{part}")
            inputs.append(writer.add_node("Reshape", [product, "texts.shape"], f"{product}.texts"))
            biases.append(bias)
        inputs += [writer.add_tensor(f"{name}.bias", np.concatenate(biases)), "mask"]
        texts = writer.add_node(
            "MultiHeadAttention", inputs, f"{name}.texts", FUSED, num_heads=self._heads
        )
        attended = writer.add_node("Reshape", [texts, "rows.shape"], f"{name}.attended")
        quantised = writer.quantise(attended, prefix + "attention.output")
        mixed = writer.multiply(
            quantised, output * after.factor[:, None], prefix + "attention.output"
        )
        return mixed, (output_bias + after.shift @ output).astype(np.float32)

    def _add_feed_forward(self, prefix: str, middle: str, smooth: Smoothing) -> str:
        writer, name = self.writer, prefix + "intermediate"
        matrix, bias = self._dense(f"{name}.dense", smooth)
        wide = writer.multiply(writer.quantise(middle, name), matrix, name)
        # The tanh form of GELU: half the time, and closer to the exact one than eight bits can see.
        bent = writer.add_node(
            "FastGelu", [wide, writer.add_tensor(f"{name}.bias", bias)], f"{name}.bent", FUSED
        )
        narrow, _ = self._dense(prefix + "output.dense")
        return writer.multiply(writer.quantise_bent(bent, f"{name}.bent"), narrow, f"{name}.narrow")

    def _add_norm(
        self,
        name: str,
        parts: tuple[str, str],
        bias: Floats,
        smooths: tuple[Smoothing, Smoothing],
    ) -> str:
        """`parts` are a product and a residual smoothed by the first of `smooths`."""
        before, after = smooths
        factor = self.writer.add_tensor(f"{name}.residual.factor", before.factor)
        residual = self.writer.add_node("Mul", [parts[1], factor], f"{name}.residual")
        weights = self._absorb(name, after)
        norm = Smoothing(weights[f"{name}.LayerNorm.weight"], weights[f"{name}.LayerNorm.bias"])
        return self.writer.normalise((parts[0], residual), name, bias + before.shift, norm)

    def _absorb(self, name: str, smooth: Smoothing) -> Weights:
        """The weights with a norm that writes its output smoothed."""
        scale, shift = f"{name}.LayerNorm.weight", f"{name}.LayerNorm.bias"
        return {
            **self._weights,
            scale: self._weights[scale] / smooth.factor,
            shift: (self._weights[shift] - smooth.shift) / smooth.factor,
        }

    def _dense(self, name: str, smooth: Smoothing | None = None) -> tuple[Floats, Floats]:
        """A layer's matrix (inputs, outputs) and bias, for inputs that are smoothed."""
        matrix, bias = self._weights[f"{name}.weight"].T, self._weights[f"{name}.bias"]
        if smooth is None:
            return matrix, bias
        shifted = (bias + smooth.shift @ matrix).astype(np.float32)
        return (matrix * smooth.factor[:, None]).astype(np.float32), shifted

    def _smooth_layer(self, layer: int) -> Smoothing:
        """How the rows that enter a layer are smoothed; after the last one, not at all."""
        if layer == self._layers:
            return leave_alone(self.width)
        name = f"encoder.layer.{layer}.attention.self"
        return self._smooth(name, *(f"{name}.{part}" for part in PARTS))

    def _smooth(self, name: str, *matrices: str) -> Smoothing:
        """The smoothing of the inputs of matrices that read the same rows."""
        joined = np.concatenate([self._dense(matrix)[0] for matrix in matrices], axis=1)
        return derive_smoothing(self._ranges[name], joined)
