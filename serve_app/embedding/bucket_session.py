"""Runs a session at fixed shapes, each with buffers of its own: on CUDA, one graph per shape.

ONNX Runtime captures a CUDA graph at the first run of a `gpu_graph_id` and replays it later; it
demands the same shapes at the same addresses each time (docs: CUDA Execution Provider).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from onnxruntime import (
    InferenceSession,
    OrtValue,
    RunOptions,  # pyright: ignore[reportAttributeAccessIssue]  # of a binary module
)

from serve_app.embedding.engine import TokenIds, Vectors
from serve_app.embedding.shape_buckets import Bucket, fill_buckets

Device = Literal["cpu", "cuda"]


class BoundShape:
    """Buffers of one shape, on the host and on the device, bound to the session for good."""

    def __init__(
        self, session: InferenceSession, bucket: Bucket, dimension: int, device: Device, number: int
    ) -> None:
        self._session = session
        self._ids = np.zeros((bucket.batch, bucket.length), np.int64)
        self._mask = np.zeros_like(self._ids)
        self._inputs = [
            (OrtValue.ortvalue_from_numpy(array, device, 0), array)
            for array in (self._ids, self._mask)
        ]
        shape = [bucket.batch, dimension]
        self._output = OrtValue.ortvalue_from_shape_and_type(shape, np.float32, device, 0)
        self._binding = session.io_binding()
        for name, (value, _) in zip(("input_ids", "attention_mask"), self._inputs, strict=True):
            self._binding.bind_ortvalue_input(name, value)
        self._binding.bind_ortvalue_output("embedding", self._output)
        self._options = RunOptions()
        self._options.add_run_config_entry("gpu_graph_id", str(number))

    def run(self, token_ids: Sequence[TokenIds]) -> Vectors:
        """The vectors of at most `batch` texts, (n, dimension), of which the caller has a copy."""
        self.write(token_ids)
        self.launch()
        return self._output.numpy()[: len(token_ids)].copy()

    def write(self, token_ids: Sequence[TokenIds]) -> None:
        """Pad the texts and copy them to the device."""
        self._ids.fill(0)
        self._mask.fill(0)
        # A row without a single token would be 0 divided by 0.
        self._mask[:, 0] = 1
        for row, ids in enumerate(token_ids):
            self._ids[row, : len(ids)] = ids
            self._mask[row, : len(ids)] = 1
        for value, array in self._inputs:
            value.update_inplace(array)
        # The session's stream does not wait for the copies by itself.
        self._binding.synchronize_inputs()

    def launch(self) -> None:
        """Compute what was written last, and wait for it."""
        self._session.run_with_iobinding(self._binding, self._options)
        self._binding.synchronize_outputs()


class BucketSession:
    """A session for texts of any count and length; to be used from one thread at a time."""

    def __init__(
        self,
        session: InferenceSession,
        buckets: Sequence[Bucket],
        dimension: int,
        device: Device,
    ) -> None:
        self.shapes = {
            bucket: BoundShape(session, bucket, dimension, device, number)
            # An id of 0 is what a run has that names none.
            for number, bucket in enumerate(buckets, start=1)
        }
        self._buckets = tuple(buckets)
        self._dimension = dimension

    def run(self, token_ids: Sequence[TokenIds]) -> Vectors:
        """The vector of each text in order, (n, dimension).

        Raises ValueError for a text longer than every shape, and what ONNX Runtime raises.
        """
        vectors = np.empty((len(token_ids), self._dimension), np.float32)
        for filling in fill_buckets([len(ids) for ids in token_ids], self._buckets):
            texts = [token_ids[text] for text in filling.texts]
            vectors[list(filling.texts)] = self.shapes[filling.bucket].run(texts)
        return vectors
