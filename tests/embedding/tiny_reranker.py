"""A cross-encoder of a few hundred bytes, in the layout in which fastembed's own are published.

Its score is the number of pairs of equal words, one of the question and one of the text.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.embedding.hub import packaged_tokenizer

FIRST_WORD = 1996
"""In BERT's vocabulary; below it stand special tokens and single characters."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def publish_reranker(folder: Path) -> Path:
    """Write the files of the cross-encoder into `folder`, and give it back."""
    (folder / "onnx").mkdir(parents=True)
    onnx.save_model(write_cross_encoder(), str(folder / "onnx" / "model.onnx"))
    (folder / "tokenizer.json").write_bytes(packaged_tokenizer().read_bytes())
    settings = {"model_max_length": 64, "pad_token": "[PAD]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def publish_on_hub(cache: Path, name: str) -> Path:
    """The same as a download of this name would have left it below `cache`."""
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("1234")
    return publish_reranker(repository / "snapshots" / "1234")


def write_cross_encoder() -> onnx.ModelProto:
    """Scores of shape (pairs, 1): equal words are counted where the types of both differ."""
    node = helper.make_node
    nodes = [
        node("Greater", ["input_ids", "last_special"], ["is_word"]),
        node("Cast", ["is_word"], ["word"], to=TensorProto.INT64),
        node("Mul", ["word", "attention_mask"], ["read"]),
        node("Mul", ["read", "token_type_ids"], ["of_text"]),
        node("Sub", ["read", "of_text"], ["of_question"]),
        *(node("Unsqueeze", [name, "last"], [f"{name}_down"]) for name in ("input_ids", "of_text")),
        *(
            node("Unsqueeze", [name, "middle"], [f"{name}_across"])
            for name in ("input_ids", "of_question")
        ),
        node("Equal", ["input_ids_down", "input_ids_across"], ["is_equal"]),
        node("Cast", ["is_equal"], ["equal"], to=TensorProto.INT64),
        node("Mul", ["of_text_down", "of_question_across"], ["both"]),
        node("Mul", ["equal", "both"], ["shared"]),
        node("ReduceSum", ["shared", "last"], ["per_word"], keepdims=0),
        node("ReduceSum", ["per_word", "middle"], ["count"], keepdims=1),
        node("Cast", ["count"], ["logits"], to=TensorProto.FLOAT),
    ]
    numbers = {"last_special": FIRST_WORD - 1, "last": 2, "middle": 1}
    weights = [
        numpy_helper.from_array(np.array([number], np.int64), name)
        for name, number in numbers.items()
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["pairs", "tokens"])
        for name in INPUTS
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["pairs", 1])
    graph = helper.make_graph(nodes, "shared words", inputs, [output], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
