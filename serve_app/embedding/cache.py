"""Remembers the vectors of questions and of documents, and asks for each only once at a time.

Every model of the registry embeds questions and documents alike, so either may use the other's.
"""

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

Chunks = tuple[Chunk, ...]

SURELY_READ_BYTES = 254
"""A text of so many bytes in UTF-8 has no more tokens, and fits the least that a model reads."""


@dataclass(slots=True)
class _Flight:
    """A question on its way, and how many callers wait for it."""

    task: asyncio.Task[Vector]
    waiting: int = 0


@dataclass(slots=True, eq=False)
class _Convoy:
    """Documents on their way together, and how many calls wait for any of them."""

    task: asyncio.Task[list[Chunks | FleetmemError]]
    waiting: int = 0


class _RecentVectors:
    """The vectors of the `size` texts that were used last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._vectors: OrderedDict[Key, Vector] = OrderedDict()

    def find(self, key: Key) -> Vector | None:
        vector = self._vectors.get(key)
        if vector is not None:
            self._vectors.move_to_end(key)
        return vector

    def keep(self, key: Key, vector: Vector) -> None:
        self._vectors[key] = vector
        if len(self._vectors) > self._size:
            self._vectors.popitem(last=False)


class CachedEmbedder:
    """An Embedder that keeps the `size` most recent questions, and as many documents; 0 keeps none.

    Apart, so that an import does not drive out what is often asked. Only documents of one chunk
    are kept. Concurrent callers of one text share one inference whatever the size, and its
    failure, which is not kept. The vectors are shared and therefore read-only.
    """

    def __init__(self, embedder: Embedder, size: int, meter: Meter) -> None:
        self._embedder = embedder
        self._meter = meter
        self._questions, self._documents = _RecentVectors(size), _RecentVectors(size)
        self._flights: dict[Key, _Flight] = {}
        self._convoys: dict[Key, tuple[_Convoy, int]] = {}

    @property
    def model(self) -> str:
        """The name that is stored beside every vector."""
        return self._embedder.model

    async def embed_query(self, text: str, tenant_id: int = 0) -> Vector:
        """The vector of a question, remembered or made."""
        key = self._key(encode_text(text))
        vector = self._questions.find(key)
        if vector is None and (vector := self._documents.find(key)) is not None:
            self._questions.keep(key, vector)
        if vector is not None:
            self._meter.count("embedding_cache", outcome="hit")
            return vector
        return await self._join_flight(key, text, tenant_id)

    async def embed_documents(
        self, texts: Sequence[str], tenant_id: int = 0
    ) -> list[Chunks | FleetmemError]:
        """The chunks of each text, remembered or made; a text that is here twice is made once."""
        encoded = [encode_text(text) for text in texts]
        keys = [self._key(content) for content in encoded]
        found = {
            key: (Chunk(0, len(text), vector),)
            for key, text, content in zip(keys, texts, encoded, strict=True)
            if (vector := self._find_document(key, content)) is not None
        }
        joined = {key: self._convoys[key] for key in keys if key in self._convoys}
        wanted = {
            key: text
            for key, text in zip(keys, texts, strict=True)
            if key not in found and key not in joined
        }
        self._count_documents(sum(key in found for key in keys), len(wanted), len(keys))
        joined = {key: place for key, place in joined.items() if key not in found}
        if wanted:
            joined |= self._send(wanted, tenant_id)
        outcomes: dict[Key, Chunks | FleetmemError] = {**found, **await self._arrive(joined)}
        return [outcomes[key] for key in keys]

    async def check_health(self) -> None:
        """Ask the embedder itself."""
        await self._embedder.check_health()

    def _key(self, content: bytes) -> Key:
        return (self.model, hashlib.sha256(content).digest())

    def _find_document(self, key: Key, content: bytes) -> Vector | None:
        """A vector of the whole text; that of a long question may be of its beginning only."""
        vector = self._documents.find(key)
        if vector is None and len(content) <= SURELY_READ_BYTES:
            return self._questions.find(key)
        return vector

    def _count_documents(self, hits: int, misses: int, texts: int) -> None:
        for outcome, count in (("hit", hits), ("miss", misses), ("joined", texts - hits - misses)):
            if count:
                self._meter.count("embedding_cache", count, outcome=outcome)

    def _send(self, wanted: dict[Key, str], tenant_id: int) -> dict[Key, tuple[_Convoy, int]]:
        """Start one inference for all; others find their text in it by its place."""
        keys = list(wanted)
        fetching = self._fetch_documents(keys, list(wanted.values()), tenant_id)
        convoy = _Convoy(asyncio.create_task(fetching))
        places = {key: (convoy, place) for place, key in enumerate(keys)}
        self._convoys |= places
        return places

    async def _arrive(
        self, places: dict[Key, tuple[_Convoy, int]]
    ) -> dict[Key, Chunks | FleetmemError]:
        """The outcome of each text; the last to leave a convoy cancels it."""
        convoys = list(dict.fromkeys(convoy for convoy, _ in places.values()))
        for convoy in convoys:
            convoy.waiting += 1
        try:
            if convoys:
                await asyncio.wait([convoy.task for convoy in convoys])
            return {key: _outcome(convoy, place) for key, (convoy, place) in places.items()}
        finally:
            for convoy in convoys:
                convoy.waiting -= 1
                if not convoy.waiting and not convoy.task.done():
                    convoy.task.cancel()
                    self._close_convoy(convoy)

    def _close_convoy(self, convoy: _Convoy) -> None:
        """Let later callers start anew."""
        for key in [key for key, (known, _) in self._convoys.items() if known is convoy]:
            del self._convoys[key]

    async def _fetch_documents(
        self, keys: Sequence[Key], texts: Sequence[str], tenant_id: int
    ) -> list[Chunks | FleetmemError]:
        task = asyncio.current_task()
        try:
            outcomes = await self._embedder.embed_documents(texts, tenant_id)
            for key, outcome in zip(keys, outcomes, strict=True):
                if not isinstance(outcome, FleetmemError) and len(outcome) == 1:
                    outcome[0].vector.setflags(write=False)
                    self._documents.keep(key, outcome[0].vector)
            return outcomes
        finally:
            for key in keys:
                if key in self._convoys and self._convoys[key][0].task is task:
                    del self._convoys[key]

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
        self._questions.keep(key, vector)
        return vector


def encode_text(text: str) -> bytes:
    """The UTF-8 bytes whose sha256 names a text."""
    # A lone surrogate must reach the tokenizer, which says what is wrong with it.
    return text.encode("utf-8", "surrogatepass")


def _outcome(convoy: _Convoy, place: int) -> Chunks | FleetmemError:
    """What became of one text; a convoy that failed as a whole failed for each."""
    error = convoy.task.exception()
    if isinstance(error, FleetmemError):
        return error
    return convoy.task.result()[place]
