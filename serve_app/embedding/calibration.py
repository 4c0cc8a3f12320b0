"""Sees what numbers flow through a BERT, for the smoothing of its int8 graph."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

from serve_app.embedding.quantisation import Floats

SENTENCES = Path(__file__).with_name("calibration.txt")
"""Plain sentences of many kinds, written for this purpose, one a line."""


def read_sentences(tokenizer_file: Path) -> list[list[int]]:
    """The token ids of the sentences, with special tokens."""
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    return [encoding.ids for encoding in tokenizer.encode_batch(lines)]


def collect_rows(
    model: onnx.ModelProto, places: dict[str, str], texts: list[list[int]]
) -> dict[str, Floats]:
    """What flows through the graph, (tokens of all texts, channels).

    `places` maps our names to the graph's. The names in the graph must be (..., channels); one
    may be given more than once.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = sorted(set(places.values()))
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    session = InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    seen: dict[str, list[Floats]] = {name: [] for name in names}
    for token_ids in texts:
        ids = np.array([token_ids], np.int64)
        values = session.run(names, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        for name, value in zip(names, values, strict=True):
            rows = np.asarray(value, np.float32)
            seen[name].append(rows.reshape(-1, rows.shape[-1]))
    return {ours: np.concatenate(seen[theirs]) for ours, theirs in places.items()}
