"""A model as the hub publishes them, already in a local download cache: no network is used."""

import hashlib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from serve_app.embedding.registry import BGE_SMALL, MINILM, ModelSpec, SourceFile

DIMENSION = 8
VOCABULARY = 30_522


def publish(directory: Path) -> ModelSpec:
    """Put a tiny model of the published form into the cache below `directory`."""
    snapshot = directory / "hub" / "models--BAAI--bge-small-en-v1.5" / "snapshots" / "1234"
    (snapshot / "onnx").mkdir(parents=True)
    references = snapshot.parent.parent / "refs"
    references.mkdir()
    (references / "main").write_text("1234")
    onnx.save_model(write_word_model(), str(snapshot / BGE_SMALL.weights.path))
    (snapshot / "tokenizer.json").write_bytes(packaged_tokenizer().read_bytes())
    return replace(
        BGE_SMALL,
        dimension=DIMENSION,
        weights=SourceFile(BGE_SMALL.weights.path, hash_of(snapshot / BGE_SMALL.weights.path)),
        tokenizer=MINILM.tokenizer,
    )


def write_word_model() -> onnx.ModelProto:
    """Token vectors that depend on the token alone; three inputs, as the published graph has."""
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info(
        "last_hidden_state", TensorProto.FLOAT, ["batch", "tokens", DIMENSION]
    )
    nodes = [
        helper.make_node("Add", ["input_ids", "token_type_ids"], ["ids"]),
        helper.make_node("Gather", ["words", "ids"], ["last_hidden_state"]),
    ]
    words = numpy_helper.from_array(word_vectors(), "words")
    graph = helper.make_graph(nodes, "words", inputs, [output], [words])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)


def word_vectors() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(VOCABULARY, DIMENSION)).astype(np.float32)


def packaged_tokenizer() -> Path:
    for package, folder in MINILM.source.places:
        if spec := find_spec(package):
            return Path(spec.submodule_search_locations[0]) / folder / "tokenizer.json"
    raise FileNotFoundError(MINILM.source.requirement)


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
