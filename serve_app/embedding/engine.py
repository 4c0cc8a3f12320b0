"""One loaded model: token ids in, unit vectors out. Knows nothing of queues or event loops."""

import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

from serve_app.core.errors import ModelUnavailable
from serve_app.embedding.cores import IdleCores, count_usable_cores
from serve_app.embedding.fastembed_models import load
from serve_app.embedding.lone_session import open_lone_session
from serve_app.embedding.registry import ModelSpec
from serve_app.embedding.verification import MODEL_FILE, verify_model

TokenIds = NDArray[np.int64]
"""The tokens of one text with [CLS] and [SEP], shape (tokens,), int64."""

Vectors = NDArray[np.float32]
"""Unit vectors, shape (texts, dimension), float32."""

ALONE_SECONDS = 0.002
"""After so long without a run nobody else is asking: a lone caller's next text takes longer."""

SPARE_CORES = 0.2
"""Idle for each further thread: of two cores a lone caller leaves a half, other work nothing."""

WARM_UP_SHAPES = ((1, 8), (8, 32))
"""Texts and tokens of the batches that are run before the engine is called warm."""


class Engine:
    """Loads a prepared model on the processor; `run` is to be called from one thread at a time.

    0 `threads` are all usable cores. A text that comes alone has `lone_threads` where so many cores
    idle. Raises ModelUnavailable when the files are not what was prepared.
    """

    def __init__(
        self, spec: ModelSpec, directory: Path, threads: int, lone_threads: int = 1
    ) -> None:
        folder = verify_model(spec, directory)
        self.spec = spec
        cores = count_usable_cores()
        threads, lone_threads = threads or cores, min(lone_threads, cores)
        self._session, self.tokenizer = load(folder, spec, threads)
        self._lone: InferenceSession | None = None
        if lone_threads > threads:
            self._lone = open_lone_session(folder / MODEL_FILE, lone_threads)
        self._idle_cores = IdleCores()
        self._spare_cores = SPARE_CORES * (lone_threads - 1)
        self._ended = 0.0
        _clear_limits(self.tokenizer)
        self._inputs = [entry.name for entry in self._session.get_inputs()]

    def warm_up(self) -> None:
        """Run small batches, so that the first caller does not pay for allocations.

        Raises ModelUnavailable when what comes out is not unit vectors of the right dimension.
        """
        sessions = [self._session] if self._lone is None else [self._session, self._lone]
        for session, (texts, tokens) in product(sessions, WARM_UP_SHAPES):
            vectors = self._run(session, [np.arange(100, 100 + tokens, dtype=np.int64)] * texts)
            expected = (texts, self.spec.dimension)
            if vectors.shape != expected or not np.allclose(
                np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3
            ):
                raise ModelUnavailable(f"{self.spec.name} does not give unit vectors {expected}")

    def run(self, token_ids: Sequence[TokenIds]) -> Vectors:
        """The embeddings of texts, (n, dimension); they do not depend on their neighbours.

        Raises what ONNX Runtime raises, and ArithmeticError when a number is not finite.
        """
        try:
            return self._run(self._pick_session(len(token_ids)), token_ids)
        finally:
            self._ended = time.monotonic()

    def _run(self, session: InferenceSession, token_ids: Sequence[TokenIds]) -> Vectors:
        longest = max(len(ids) for ids in token_ids)
        padded = np.zeros((len(token_ids), longest), np.int64)
        mask = np.zeros_like(padded)
        for row, ids in enumerate(token_ids):
            padded[row, : len(ids)] = ids
            mask[row, : len(ids)] = 1
        arrays = {"input_ids": padded, "attention_mask": mask}
        feed = {name: arrays.get(name, np.zeros_like(padded)) for name in self._inputs}
        vectors = np.asarray(session.run(None, feed)[0], np.float32)
        if not np.isfinite(vectors).all():
            raise ArithmeticError(f"{self.spec.name} gave a number that is not finite")
        return vectors

    def _pick_session(self, texts: int) -> InferenceSession:
        """The one with more threads for a single text of a lone caller while cores idle.

        Threads that share a core with others' wait for each other.
        """
        if (
            self._lone
            and texts == 1
            and time.monotonic() - self._ended >= ALONE_SECONDS
            and self._idle_cores.read() >= self._spare_cores
        ):
            return self._lone
        return self._session


def _clear_limits(tokenizer: Tokenizer) -> None:
    """Let the tokenizer see whole texts: what is too long is cut into chunks, not dropped."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
