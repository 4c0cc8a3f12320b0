"""The BERT encoder of `bert_graph` without padding, for processors."""

import onnx

from serve_app.embedding.bert_graph import FUSED, PARTS, Weights, add_embeddings, count_layers
from serve_app.embedding.packed_graph import PackedWriter
from serve_app.embedding.registry import Pooling


def write_packed_bert(weights: Weights, heads: int, pooling: Pooling) -> onnx.ModelProto:
    """The graph of the encoder whose tensors these are; inputs and output as `pooling_graph`."""
    encoder = _Encoder(weights, heads)
    writer = encoder.writer
    hidden = writer.pack(add_embeddings(writer, weights), "words.rows")
    for layer in range(count_layers(weights)):
        hidden = encoder.add_layer(f"encoder.layer.{layer}.", hidden)
    return writer.finish(hidden, pooling, "packed-bert")


class _Encoder:
    def __init__(self, weights: Weights, heads: int) -> None:
        self._weights = weights
        self.writer = PackedWriter(weights["embeddings.word_embeddings.weight"].shape[1], heads)

    def add_layer(self, prefix: str, hidden: str) -> str:
        """Self-attention and the feed-forward network, each added to its input and normalised."""
        middle = self._add_attention(prefix, hidden)
        wide = self._multiply(prefix + "intermediate.dense", middle)
        bias = self._add_bias(prefix + "intermediate.dense")
        bent = self.writer.add_node("BiasGelu", [wide, bias], prefix + "bent", FUSED)
        narrow = self._multiply(prefix + "output.dense", bent)
        bias = self._add_bias(prefix + "output.dense")
        return self._add_sum(prefix + "output", [narrow, middle, bias])

    def _add_attention(self, prefix: str, hidden: str) -> str:
        name, output = prefix + "attention.self.", prefix + "attention.output.dense"
        query, key, value = (self._multiply(name + part, hidden) for part in PARTS)
        query = self.writer.add_node("Add", [query, self._add_bias(name + "query")], name + "asked")
        # A key's bias changes all scores of a token alike, and so nothing; a value's comes through
        # whole, for the weights sum to 1.
        mixed = self.writer.attend((query, key, value), name + "attended")
        whole = (
            self._weights[f"{output}.weight"] @ self._weights[f"{name}value.bias"]
            + self._weights[f"{output}.bias"]
        )
        bias = self.writer.add_tensor(f"{output}.bias", whole)
        return self._add_sum(
            prefix + "attention.output", [self._multiply(output, mixed), hidden, bias]
        )

    def _multiply(self, name: str, rows: str) -> str:
        matrix = self.writer.add_tensor(f"{name}.matrix", self._weights[f"{name}.weight"].T)
        return self.writer.add_node("MatMul", [rows, matrix], f"{name}.product")

    def _add_bias(self, name: str) -> str:
        return self.writer.add_tensor(f"{name}.bias", self._weights[f"{name}.bias"])

    def _add_sum(self, name: str, parts: list[str]) -> str:
        total = self.writer.add_node("Sum", parts, f"{name}.total")
        scale, shift = (self._weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return self.writer.add_norm(total, name, scale, shift)
