"""Graphs that compute with real tokens alone: padding is dropped after the embedding layer.

Rows are (real tokens of all texts, channels). Only attention, which belongs to one text, sees texts
padded again. That takes shapes that depend on the mask, which a CUDA graph cannot have.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from serve_app.embedding.bert_graph import FUSED, IR_VERSION, LAYER_NORM_EPSILON
from serve_app.embedding.pooling_graph import GraphWriter, add_pooling, describe_output
from serve_app.embedding.registry import Pooling

OPSET = 23
"""The first one with Attention, half as long as ONNX Runtime's own operators on short texts."""


class PackedWriter(GraphWriter):
    """Adds what dense layers, which know rows alone, have between them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width, self._heads = width, heads
        self.add_node("Cast", ["input_ids"], "ids", to=TensorProto.INT32)
        self.add_tensor("flat.shape", np.array([-1], np.int64))
        self.add_tensor("rows.shape", np.array([-1, width], np.int64))
        self.add_node("Shape", ["input_ids"], "text.shape")
        self._add_places()
        self._add_mask()

    def pack(self, texts: str, name: str) -> str:
        """The rows of the real tokens of (batch, tokens, width)."""
        every = self.add_node("Reshape", [texts, "rows.shape"], f"{name}.padded")
        return self.add_node("Gather", [every, "real"], name)

    def unpack(self, rows: str, name: str) -> str:
        """Rows as (batch, tokens, width); what stands at padding is to be masked."""
        return self.add_node("Gather", [rows, "places"], name)

    def attend(self, projections: Sequence[str], name: str) -> str:
        """Attention over the real tokens of each text, from rows of queries, keys and values."""
        texts = [self.unpack(rows, f"{rows}.texts") for rows in projections]
        mixed = self.add_node(
            "Attention",
            [*texts, "mask"],
            f"{name}.texts",
            q_num_heads=self._heads,
            kv_num_heads=self._heads,
        )
        return self.pack(mixed, name)

    def add_norm(
        self, total: str, name: str, scale: NDArray[np.float32], shift: NDArray[np.float32]
    ) -> str:
        """The layer norm of rows."""
        # Sum and norm apart: the fused operator takes six times as long on a CPU.
        inputs = [
            total,
            self.add_tensor(f"{name}.scale", scale),
            self.add_tensor(f"{name}.shift", shift),
        ]
        output = f"{name}.normalised"
        return self.add_node("LayerNormalization", inputs, output, epsilon=LAYER_NORM_EPSILON)

    def finish(self, rows: str, pooling: Pooling, name: str) -> onnx.ModelProto:
        """The model that pools `rows`."""
        add_pooling(self, self.unpack(rows, "hidden"), pooling, OPSET)
        inputs = [
            helper.make_tensor_value_info(entry, TensorProto.INT64, ["batch", "tokens"])
            for entry in ("input_ids", "attention_mask")
        ]
        outputs = [describe_output(self.width)]
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.tensors)
        versions = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=IR_VERSION)

    def _add_places(self) -> None:
        """`real`: which tokens are; `places`: which row each token has, padding that before it."""
        flat = self.add_node("Reshape", ["attention_mask", "flat.shape"], "mask.flat")
        found = self.add_node("NonZero", [flat], "real.found")
        self.add_node("Reshape", [found, "flat.shape"], "real")
        self.add_tensor("axis.0", np.array(0, np.int64))
        self.add_tensor("one", np.array(1, np.int64))
        count = self.add_node("CumSum", [flat, "axis.0"], "real.count")
        row = self.add_node("Sub", [count, "one"], "row")
        self.add_node("Reshape", [row, "text.shape"], "places")

    def _add_mask(self) -> None:
        """`mask`: (batch, 1, tokens, tokens), which tokens may be looked at."""
        real = self.add_node("Cast", ["attention_mask"], "mask.real", to=TensorProto.BOOL)
        self.add_tensor("mask.axes", np.array([1, 2], np.int64))
        self.add_tensor("first", np.array([1], np.int64))
        column = self.add_node("Unsqueeze", [real, "mask.axes"], "mask.column")
        length = self.add_node("Gather", ["text.shape", "first"], "length")
        shape = self.add_node("Concat", ["first", "first", length, "first"], "mask.shape", axis=0)
        self.add_node("Expand", [column, shape], "mask")
