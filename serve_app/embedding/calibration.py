"""Sees what numbers flow through a BERT, for the smoothing of its int8 graph."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

from serve_app.embedding.quantisation import Range

SENTENCES = Path(__file__).with_name("calibration.txt")
"""Plain sentences of many kinds, written for this purpose, one a line."""


def read_sentences(tokenizer_file: Path) -> list[list[int]]:
    """The token ids of the sentences, with special tokens."""
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    return [encoding.ids for encoding in tokenizer.encode_batch(lines)]


def measure_ranges(
    model: onnx.ModelProto, places: dict[str, str], texts: list[list[int]]
) -> dict[str, Range]:
    """The ranges of channels over all tokens of `texts`; `places` maps our names to the graph's.

    The names in the graph must be (..., channels); one may be given more than once.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = sorted(set(places.values()))
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    session = InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    seen: dict[str, Range] = {}
    for token_ids in texts:
        ids = np.array([token_ids], np.int64)
        values = session.run(names, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        for name, value in zip(names, values, strict=True):
            rows = np.asarray(value, np.float32)
            seen[name] = _widen(seen.get(name), rows.reshape(-1, rows.shape[-1]))
    return {ours: seen[theirs] for ours, theirs in places.items()}


def _widen(before: Range | None, rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Range:
    low, high = rows.min(axis=0), rows.max(axis=0)
    if before is None:
        return Range(low, high)
    return Range(np.minimum(before.low, low), np.maximum(before.high, high))
