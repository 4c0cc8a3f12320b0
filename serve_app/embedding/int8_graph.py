"""Writes a BERT encoder whose matrix products are in integers; the rest stays in float32.

The rows that enter the feed-forward network have one scale for all texts, others one for each token
row: a vector does not depend on its neighbours. Norms write their output smoothed, ready for the
next product; the residual takes it back. Inputs and output are those of `pooling_graph`.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from serve_app.embedding.bert_graph import FUSED, PARTS, Weights, add_embeddings, count_layers
from serve_app.embedding.packed_graph import PackedWriter
from serve_app.embedding.quantisation import (
    LARGEST,
    Floats,
    Integers,
    Seen,
    Smoothing,
    derive_smoothing,
    derive_step,
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


def find_inputs(weights: Weights) -> dict[str, str]:
    """The matrices whose inputs are looked at, and what `write_bert` calls those inputs."""
    places: dict[str, str] = {}
    hidden = "words.normalised"
    for layer in range(count_layers(weights)):
        prefix = f"encoder.layer.{layer}."
        places[prefix + "attention.self"] = hidden
        places[prefix + "attention.output"] = prefix + "attention.self.attended"
        places[prefix + "intermediate"] = prefix + "attention.output.normalised"
        places[prefix + "output"] = prefix + "bent"
        hidden = prefix + "output.normalised"
    return places


def write_int8_bert(weights: Weights, heads: int, pooling: Pooling, seen: Seen) -> onnx.ModelProto:
    """The integer graph of the encoder; `seen` has every key of `find_inputs`."""
    encoder = _Encoder(weights, heads, seen)
    return encoder.writer.finish(encoder.add_layers(), pooling, "bert-int8")


@dataclass(frozen=True, slots=True)
class _Quantised:
    """Names in the graph: bytes (rows, channels), their scale, and the byte of 0.

    `column`, (rows, 1), is a scale that the product is still to be multiplied with.
    """

    numbers: str
    scale: str
    zero: str
    column: str | None = None


class _IntegerWriter(PackedWriter):
    """Adds products of integers."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.add_tensor("unit", np.array(1, np.float32))
        self.add_tensor("step", np.array(1 / LARGEST, np.float32))
        self.add_tensor("least", np.array(1e-9, np.float32))
        self.add_tensor("gelu.step", np.array(1 / (255 - GELU_ZERO), np.float32))
        # Deep enough for all that GELU gives, and never 0.
        self.add_tensor("gelu.least", np.array(GELU_DEPTH / GELU_ZERO, np.float32))
        self.add_node("Shape", ["real"], "count")
        for zero in (MIDDLE, GELU_ZERO):
            value = helper.make_tensor(f"zero.{zero}.value", TensorProto.UINT8, [1], [zero])
            self.add_node("ConstantOfShape", ["count"], f"zeros.{zero}", value=value)
            self.add_tensor(f"zero.{zero}", np.array(zero, np.uint8))

    def quantise(self, rows: str, name: str, step: float) -> _Quantised:
        """In steps of the same size for all rows."""
        scale, zero = self.add_tensor(f"{name}.step", np.array(step, np.float32)), f"zero.{MIDDLE}"
        numbers = self.add_node("QuantizeLinear", [rows, scale, zero], f"{name}.numbers")
        return _Quantised(numbers, scale, zero)

    def quantise_rows(self, rows: str, name: str) -> _Quantised:
        """By the largest absolute value of each row."""
        size = self.add_node("Abs", [rows], f"{name}.size")
        return self._quantise_rows(rows, size, name, ("step", "least", MIDDLE))

    def quantise_bent(self, rows: str, name: str) -> _Quantised:
        """What GELU gave, by the largest value of each row."""
        return self._quantise_rows(rows, rows, name, ("gelu.step", "gelu.least", GELU_ZERO))

    def multiply(
        self, rows: _Quantised, matrix: Integers, name: str, bias: Floats | None = None
    ) -> str:
        """Rows times a constant matrix (inputs, outputs), in float32 again."""
        inputs = [
            rows.numbers,
            self.add_tensor(f"{name}.matrix", matrix.values),
            rows.scale,
            self.add_tensor(f"{name}.matrix.scale", matrix.scale),
            rows.zero,
        ]
        added = [] if bias is None else [self.add_tensor(f"{name}.bias", bias.astype(np.float32))]
        if rows.column is None:
            inputs += ["", *added] if added else []
            return self.add_node("MatMulIntegerToFloat", inputs, f"{name}.product", FUSED)
        unscaled = self.add_node("MatMulIntegerToFloat", inputs, f"{name}.unscaled", FUSED)
        product = self.add_node("Mul", [unscaled, rows.column], f"{name}.product")
        return self.add_node("Add", [product, *added], f"{name}.whole") if added else product

    def _quantise_rows(
        self, rows: str, size: str, name: str, how: tuple[str, str, int]
    ) -> _Quantised:
        step, least, zero = how
        top = self.add_node("ReduceMax", [size, "first"], f"{name}.top", keepdims=0)
        exact = self.add_node("Mul", [top, step], f"{name}.rows.exact")
        scale = self.add_node("Max", [exact, least], f"{name}.rows.scale")
        inputs = [rows, scale, f"zeros.{zero}"]
        numbers = self.add_node("QuantizeLinear", inputs, f"{name}.numbers", axis=0)
        column = self.add_node("Unsqueeze", [scale, "first"], f"{name}.column")
        return _Quantised(numbers, "unit", f"zero.{zero}", column)


class _Encoder:
    """Walks the layers; hidden rows are smoothed for whatever reads them next."""

    def __init__(self, weights: Weights, heads: int, seen: Seen) -> None:
        self._weights, self._seen = weights, seen
        self._width = weights["embeddings.word_embeddings.weight"].shape[1]
        self._layers = count_layers(weights)
        self.writer = _IntegerWriter(self._width, heads)

    def add_layers(self) -> str:
        """The rows of token vectors."""
        embedded = add_embeddings(self.writer, self._absorb("embeddings", self._smooth_layer(0)))
        hidden = self.writer.pack(embedded, "words.rows")
        for layer in range(self._layers):
            hidden = self._add_layer(layer, hidden)
        return hidden

    def _add_layer(self, layer: int, hidden: str) -> str:
        prefix = f"encoder.layer.{layer}."
        name, output = prefix + "attention.output", prefix + "output"
        outer, after = self._smooth_layer(layer), self._smooth_layer(layer + 1)
        inner = self._smooth(prefix + "intermediate", prefix + "intermediate.dense")
        mixed, bias = self._add_attention(prefix, hidden, outer)
        middle = self._add_norm(name, [mixed, self._rough(name, hidden, outer), bias], inner)
        narrow, bias = self._add_feed_forward(prefix, middle, inner)
        return self._add_norm(output, [narrow, self._rough(output, middle, inner), bias], after)

    def _add_attention(self, prefix: str, hidden: str, smooth: Smoothing) -> tuple[str, str]:
        """The mixed rows, and the bias and shift that they and the residual lack."""
        name, output = prefix + "attention.self", prefix + "attention.output"
        rows = self.writer.quantise_rows(hidden, name)
        after = self._smooth(output, f"{output}.dense")
        projections: list[str] = []
        for part in PARTS:
            matrix, bias = self._dense(f"{name}.{part}", smooth)
            if part == "value":
                # Attention's weights sum to 1, so its output is smoothed with the values.
                matrix, bias = matrix / after.factor, (bias - after.shift) / after.factor
            integers = self._round(name, matrix, smooth)
            # A key's bias changes all scores of a token alike, and so nothing.
            wanted = None if part == "key" else bias + integers.drift
            projections.append(self.writer.multiply(rows, integers, f"{name}.{part}", wanted))
        attended = self.writer.attend(projections, f"{name}.attended")
        matrix, bias = self._dense(f"{output}.dense", after)
        integers = self._round(output, matrix, after)
        mixed = self.writer.multiply(self.writer.quantise_rows(attended, output), integers, output)
        return mixed, self._add_bias(output, bias + integers.drift + smooth.shift)

    def _add_feed_forward(self, prefix: str, middle: str, smooth: Smoothing) -> tuple[str, str]:
        """The narrow rows, and the bias and shift that they and the residual lack."""
        name, output = prefix + "intermediate", prefix + "output"
        matrix, bias = self._dense(f"{name}.dense", smooth)
        step = derive_step(smooth.apply(self._seen[name]))
        rows = self.writer.quantise(middle, name, step)
        integers = self._round(name, matrix, smooth)
        wide = self.writer.multiply(rows, integers, name, bias + integers.drift)
        # The tanh form of GELU: half the time, and closer to the exact one than eight bits can see.
        bent = self.writer.add_node("FastGelu", [wide], f"{name}.bent", FUSED)
        whole = leave_alone(len(bias))
        matrix, bias = self._dense(f"{output}.dense", whole)
        integers = self._round(output, matrix, whole)
        narrow = self.writer.multiply(self.writer.quantise_bent(bent, bent), integers, output)
        return narrow, self._add_bias(output, bias + integers.drift + smooth.shift)

    def _add_bias(self, name: str, bias: Floats) -> str:
        return self.writer.add_tensor(f"{name}.bias", bias.astype(np.float32))

    def _round(self, name: str, matrix: Floats, smooth: Smoothing) -> Integers:
        return quantise_columns(matrix, smooth.apply(self._seen[name]))

    def _rough(self, name: str, rows: str, smooth: Smoothing) -> str:
        """Smoothed rows without their factor, for the residual."""
        factor = self.writer.add_tensor(f"{name}.factor", smooth.factor)
        return self.writer.add_node("Mul", [rows, factor], f"{name}.residual")

    def _add_norm(self, name: str, parts: list[str], after: Smoothing) -> str:
        """The norm of a sum, smoothed for what reads it next."""
        total = self.writer.add_node("Sum", parts, f"{name}.total")
        weights = self._absorb(name, after)
        scale, shift = (weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return self.writer.add_norm(total, name, scale, shift)

    def _absorb(self, name: str, smooth: Smoothing) -> Weights:
        """The weights with a norm that writes its output smoothed."""
        scale, shift = f"{name}.LayerNorm.weight", f"{name}.LayerNorm.bias"
        return {
            **self._weights,
            scale: self._weights[scale] / smooth.factor,
            shift: (self._weights[shift] - smooth.shift) / smooth.factor,
        }

    def _dense(self, name: str, smooth: Smoothing) -> tuple[Floats, Floats]:
        """A layer's matrix (inputs, outputs) and bias, for inputs that are smoothed."""
        matrix, bias = self._weights[f"{name}.weight"].T, self._weights[f"{name}.bias"]
        shifted = (bias + smooth.shift @ matrix).astype(np.float32)
        return (matrix * smooth.factor[:, None]).astype(np.float32), shifted

    def _smooth_layer(self, layer: int) -> Smoothing:
        """How the rows that enter a layer are smoothed; after the last one, not at all."""
        if layer == self._layers:
            return leave_alone(self._width)
        name = f"encoder.layer.{layer}.attention.self"
        return self._smooth(name, *(f"{name}.{part}" for part in PARTS))

    def _smooth(self, name: str, *matrices: str) -> Smoothing:
        """The smoothing of the inputs of matrices that read the same rows."""
        joined = np.concatenate(
            [self._weights[f"{matrix}.weight"].T for matrix in matrices], axis=1
        )
        return derive_smoothing(self._seen[name], joined)
