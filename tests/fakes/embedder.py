"""An embedder whose vectors come from words alone: texts that share words are similar."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

import numpy as np

from serve_app.core.errors import EmbeddingUnavailable, FleetmemError
from serve_app.core.memory import Chunk, Vector


class FakeEmbedder:
    """Implements ports.Embedder.

    `down` fails every call, `refused` single texts; `interrupt` is awaited before documents are
    embedded, so that a test can change the world in between. `tenants` are those of all calls.
    """

    def __init__(
        self, model: str = "fake", dimension: int = 384, chunk_characters: int = 1000
    ) -> None:
        self._model = model
        self._dimension = dimension
        self._chunk_characters = chunk_characters
        self.down = False
        self.refused: set[str] = set()
        self.embedded: list[str] = []
        self.tenants: list[int] = []
        self.interrupt: Callable[[], Awaitable[None]] | None = None

    @property
    def model(self) -> str:
        return self._model

    async def embed_query(self, text: str, tenant_id: int = 0) -> Vector:
        self.tenants.append(tenant_id)
        self._require_up(text)
        return self.vector(text[: self._chunk_characters])

    async def embed_documents(
        self, texts: Sequence[str], tenant_id: int = 0
    ) -> list[tuple[Chunk, ...] | FleetmemError]:
        self.tenants.append(tenant_id)
        if self.interrupt is not None:
            await self.interrupt()
        if self.down:
            raise EmbeddingUnavailable("the fake embedder is down")
        return [self._outcome(text) for text in texts]

    async def check_health(self) -> None:
        if self.down:
            raise EmbeddingUnavailable("the fake embedder is down")

    def chunks(self, text: str) -> tuple[Chunk, ...]:
        """The chunks of a text without awaiting; at least one."""
        step = self._chunk_characters
        starts = range(0, max(len(text), 1), step)
        spans = [(start, min(start + step, len(text))) for start in starts]
        return tuple(Chunk(start, end, self.vector(text[start:end])) for start, end in spans)

    def vector(self, text: str) -> Vector:
        """The unit vector of a text: the sum of its words' vectors."""
        words = re.findall(r"\w+", text.casefold()) or [text]
        total = np.sum([_word_vector(word, self._dimension) for word in words], axis=0)
        return (total / np.linalg.norm(total)).astype(np.float32)

    def _outcome(self, text: str) -> tuple[Chunk, ...] | FleetmemError:
        if text in self.refused:
            return EmbeddingUnavailable("the fake embedder refuses this text")
        self.embedded.append(text)
        return self.chunks(text)

    def _require_up(self, text: str) -> None:
        if self.down or text in self.refused:
            raise EmbeddingUnavailable("the fake embedder is down")


@lru_cache(maxsize=10_000)
def _word_vector(word: str, dimension: int) -> Vector:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
    return np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
