"""Remembers the vectors of questions, and asks for each only once at a time."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from serve_app.core.errors import FleetmemError
from serve_app.core.memory import Chunk, Vector
from serve_app.operations.ports import Embedder
from serve_app.telemetry import Meter

Key = tuple[str, bytes]
"""A model's name and the sha256 of a text: no content is kept."""


@dataclass(slots=True)
class _Flight:
    """A question on its way, and how many callers wait for it."""

    task: asyncio.Task[Vector]
    waiting: int = 0


class CachedEmbedder:
    """An Embedder that keeps the `size` most recently asked questions; 0 keeps none.

    Concurrent callers of one question share one inference whatever the size, and its failure,
    which is not kept. The vectors are shared and therefore read-only.
    """

    def __init__(self, embedder: Embedder, size: int, meter: Meter) -> None:
        self._embedder = embedder
        self._size = size
        self._meter = meter
        self._vectors: OrderedDict[Key, Vector] = OrderedDict()
        self._flights: dict[Key, _Flight] = {}

    @property
    def model(self) -> str:
        """The name that is stored beside every vector."""
        return self._embedder.model

    async def embed_query(self, text: str, tenant_id: int = 0) -> Vector:
        """The vector of a question, remembered or made."""
        # A lone surrogate must reach the tokenizer, which says what is wrong with it.
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        key = (self.model, digest)
        if key in self._vectors:
            self._meter.count("embedding_cache", outcome="hit")
            self._vectors.move_to_end(key)
            return self._vectors[key]
        return await self._join_flight(key, text, tenant_id)

    async def embed_documents(
        self, texts: Sequence[str], tenant_id: int = 0
    ) -> list[tuple[Chunk, ...] | FleetmemError]:
        """The chunks of each text; documents seldom repeat, so none is remembered."""
        return await self._embedder.embed_documents(texts, tenant_id)

    async def check_health(self) -> None:
        """Ask the embedder itself."""
        await self._embedder.check_health()

    async def _join_flight(self, key: Key, text: str, tenant_id: int) -> Vector:
        """Wait for the one inference of this question; the last to leave cancels it."""
        flight = self._flights.get(key)
        self._meter.count("embedding_cache", outcome="joined" if flight else "miss")
        if flight is None:
            flight = _Flight(asyncio.create_task(self._fetch(key, text, tenant_id)))
            self._flights[key] = flight
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                flight.task.cancel()
                self._close_flight(key, flight)

    def _close_flight(self, key: Key, flight: _Flight) -> None:
        """Let later callers start anew, unless one already has."""
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def _fetch(self, key: Key, text: str, tenant_id: int) -> Vector:
        vector = await self._embedder.embed_query(text, tenant_id)
        vector.setflags(write=False)
        self._keep(key, vector)
        return vector

    def _keep(self, key: Key, vector: Vector) -> None:
        self._vectors[key] = vector
        if len(self._vectors) > self._size:
            self._vectors.popitem(last=False)
