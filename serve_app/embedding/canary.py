"""Texts whose vectors are known: what a device must reproduce before it may serve."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serve_app.core.errors import ConfigurationError

LEAST_COSINE = 0.999

TEXTS = (
    "ready",
    "Where does Ana keep the spare key?",
    "She adopted a grey cat in Lisbon on the 4th of May, 2023.",
    "The invoice of 1,204.50 EUR was paid twice; please refund the second payment by Friday.",
    "Der Zug nach Graz fährt um 7.42 Uhr von Gleis 3. 東京は晴れです。 Привет!",
    "The agent restarted the payment service after the certificate had expired. " * 4,
    "A long meeting: who said what, which of it was agreed, and what is still open. " * 12,
)
"""From 3 to about 200 tokens, so that every shape has one that fits."""


@dataclass(frozen=True, slots=True)
class Canary:
    """Token ids of each text, (tokens,) int64, and their vectors, (texts, dimension) float32."""

    token_ids: tuple[NDArray[np.int64], ...]
    vectors: NDArray[np.float32]

    def select(self, longest: int) -> "Canary":
        """The texts of at most so many tokens; at least one has 3."""
        kept = [row for row, ids in enumerate(self.token_ids) if len(ids) <= longest]
        return Canary(tuple(self.token_ids[row] for row in kept), self.vectors[kept])

    def repeat(self, rows: int) -> "Canary":
        """As many texts as `rows`, in turns."""
        turns = [row % len(self.token_ids) for row in range(rows)]
        return Canary(tuple(self.token_ids[row] for row in turns), self.vectors[turns])

    def require_match(self, vectors: NDArray[np.float32], device: str) -> None:
        """Raise ConfigurationError unless each cosine to the known vector is high enough."""
        cosines = np.sum(vectors * self.vectors, axis=1)
        # Written so that NaN fails, too.
        if vectors.shape != self.vectors.shape or not (cosines >= LEAST_COSINE).all():
            raise ConfigurationError(
                f"the model on {device} does not give the vectors that it gave when it was "
                f"prepared: cosine {float(np.min(cosines)):.4f}, {LEAST_COSINE} is wanted; "
                "check driver and CUDA libraries, or set embedding_device to cpu"
            )


def write_canary(path: Path, canary: Canary) -> None:
    """One .npz file: ids of all texts in a row, their counts, their vectors."""
    counts = np.array([len(ids) for ids in canary.token_ids], np.int64)
    with path.open("wb") as file:
        np.savez(file, ids=np.concatenate(canary.token_ids), counts=counts, vectors=canary.vectors)


def read_canary(path: Path) -> Canary:
    """What `write_canary` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        ends: Sequence[int] = np.cumsum(arrays["counts"])[:-1].tolist()
        return Canary(tuple(np.split(arrays["ids"], ends)), arrays["vectors"])
