"""The model on a GPU: fp16, one CUDA graph per shape, and never silently on the processor."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime import (
    InferenceSession,
    SessionOptions,  # pyright: ignore[reportAttributeAccessIssue]  # of a binary module
)
from tokenizers import Tokenizer

from serve_app.core.errors import ConfigurationError
from serve_app.embedding.bucket_session import BucketSession
from serve_app.embedding.canary import read_canary
from serve_app.embedding.device_memory import read_free_bytes
from serve_app.embedding.engine import TokenIds, Vectors
from serve_app.embedding.half_preparation import CANARY_FILE, verify_half
from serve_app.embedding.registry import ModelSpec
from serve_app.embedding.runtime_package import require_one_runtime
from serve_app.embedding.shape_buckets import list_buckets
from serve_app.embedding.verification import MODEL_FILE, model_folder

CUDA = "CUDAExecutionProvider"

REMEDY = "install what fleetmem[gpu] needs (docs/gpu.md), or set embedding_device to cpu"


class CudaEngine:
    """Loads the fp16 twin of a prepared model; `run` is to be called from one thread at a time.

    Raises ModelUnavailable when the files are not what was prepared, ConfigurationError when
    ONNX Runtime, the driver or the GPU are not there or do not hold the model.
    """

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        require_one_runtime("cuda")
        self.spec = spec
        folder = verify_half(spec, directory)
        free = read_free_bytes()
        self._session = open_cuda_session(folder / MODEL_FILE)
        require_loaded(free - read_free_bytes(), (folder / MODEL_FILE).stat().st_size)
        self.tokenizer = load_tokenizer(model_folder(spec, directory))
        self._canary = read_canary(folder / CANARY_FILE)
        buckets = list_buckets(spec.max_tokens)
        self.shapes = BucketSession(self._session, buckets, spec.dimension, "cuda")

    def warm_up(self) -> None:
        """Capture the graph of every shape, and hold capture and replay to known vectors.

        Raises ConfigurationError when one of them differs.
        """
        for bucket, shape in self.shapes.shapes.items():
            canary = self._canary.select(bucket.length).repeat(bucket.batch)
            for _ in ("capture", "replay"):
                canary.require_match(shape.run(canary.token_ids), "cuda")

    def run(self, token_ids: Sequence[TokenIds]) -> Vectors:
        """The embeddings of texts, (n, dimension); they do not depend on their neighbours.

        Raises what ONNX Runtime raises, and ArithmeticError when a number is not finite.
        """
        vectors = self.shapes.run(token_ids)
        if not np.isfinite(vectors).all():
            raise ArithmeticError(f"{self.spec.name} gave a number that is not finite")
        return vectors


def open_cuda_session(model: Path) -> InferenceSession:
    """A session whose every node is on CUDA, with graphs on; raises ConfigurationError."""
    if CUDA not in onnxruntime.get_available_providers():
        raise ConfigurationError(f"this ONNX Runtime was built without CUDA; {REMEDY}")
    # The libraries of the CUDA packages lie where the loader does not look by itself.
    onnxruntime.preload_dlls()
    options = SessionOptions()
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    settings = {"device_id": "0", "enable_cuda_graph": "1"}
    try:
        session = InferenceSession(str(model), options, providers=[(CUDA, settings)])
    except Exception as error:  # ONNX Runtime raises whatever its binding makes of a status.
        raise ConfigurationError(f"cannot run the model on cuda: {error}; {REMEDY}") from error
    session.disable_fallback()
    if session.get_providers()[0] != CUDA:
        raise ConfigurationError(
            f"ONNX Runtime runs the model on {session.get_providers()[0]} instead of cuda; {REMEDY}"
        )
    return session


def require_loaded(growth: int, size: int) -> None:
    """Raise ConfigurationError unless the GPU's used memory grew by at least the model's bytes."""
    if growth < size:
        raise ConfigurationError(
            f"the GPU holds {growth} bytes more than before a model of {size} bytes was loaded: "
            "the model is not on it; give the replica a GPU of its own (num_gpus: 1)"
        )


def load_tokenizer(folder: Path) -> Tokenizer:
    """The prepared model's tokenizer, which neither cuts nor pads."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
