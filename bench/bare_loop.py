"""What one thread can do at best: a bare ORT loop over sorted batches, a bare matrix product."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from bench.constant import NoMeter
from serve_app.embedding.batcher import RunsModel, open_batcher
from serve_app.embedding.chunking import Chunker
from serve_app.embedding.engine import TokenIds
from serve_app.embedding.queueing import plan_batches
from serve_app.settings import load_settings

SHAPES = {
    "sentence-transformers/all-MiniLM-L6-v2": (6, 384, 1536),
    "BAAI/bge-small-en-v1.5": (12, 384, 1536),
}
"""Layers, width and inner width of a model."""

GEMM_ROWS, GEMM_SECONDS = 512, 0.5
OPSET = 20


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the texts; `tokenising` seconds are not in `seconds`, nor in `cpu_seconds`."""

    seconds: float
    cpu_seconds: float
    tokenising: float
    chunks: int


class BareLoop:
    """The service's own graph with the service's settings, without queue, thread or process."""

    def __init__(self) -> None:
        settings = load_settings()
        # The engine as the service opens it, whatever it is made of.
        self._engine: RunsModel = vars(open_batcher(settings, NoMeter()))["_engine"]
        self._chunker = Chunker(self._engine.tokenizer, self._engine.spec.max_tokens)
        self._budget = settings.embedding_batch_tokens

    def run(self, texts: Sequence[str]) -> Pass:
        """Tokenise all, sort all, cut at the service's token budget, run; nothing is kept."""
        started = time.perf_counter()
        chunks = self.tokenise(texts)
        ready, cpu = time.perf_counter(), time.process_time()
        for batch in plan_batches([len(ids) for ids in chunks], self._budget):
            self._engine.run([chunks[index] for index in batch])
        cpu = time.process_time() - cpu
        return Pass(time.perf_counter() - ready, cpu, ready - started, len(chunks))

    def tokenise(self, texts: Sequence[str]) -> list[TokenIds]:
        """The tokens of every chunk of every text."""
        cuts = self._chunker.cut_documents(texts)
        return [passage.token_ids for cut in cuts if isinstance(cut, list) for passage in cut]

    def count_operations(self, texts: Sequence[str]) -> float:
        """Floating point operations of the matrix products over the real tokens, no padding."""
        layers, width, inner = SHAPES[self._engine.spec.name]
        lengths = np.array([len(ids) for ids in self.tokenise(texts)], np.float64)
        weights = 2 * (4 * width * width + 2 * width * inner)
        return float(layers * (weights * lengths + 4 * width * lengths**2).sum())


def measure_matrix_product() -> float:
    """Operations per second of ORT's own (512, 384) x (384, 1536) float32 product, one thread."""
    session = _build_product(384, 1536)
    feed = {"x": np.ones((GEMM_ROWS, 384), np.float32)}
    session.run(None, feed)
    started, runs = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < GEMM_SECONDS:
        session.run(None, feed)
        runs += 1
    return 2 * GEMM_ROWS * 384 * 1536 * runs / elapsed


def _build_product(inner: int, width: int) -> InferenceSession:
    weights = numpy_helper.from_array(np.ones((inner, width), np.float32), "w")
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [GEMM_ROWS, inner])
    wanted = helper.make_tensor_value_info("y", TensorProto.FLOAT, [GEMM_ROWS, width])
    graph = helper.make_graph([product], "product", [given], [wanted], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = min(model.ir_version, 10)
    onnx.checker.check_model(model)
    # The package's stub does not name this class.
    options = vars(onnxruntime)["SessionOptions"]()
    options.intra_op_num_threads = 1
    return InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
