"""Memories that are owed vectors of another model, in dictionaries."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from uuid import UUID

from serve_app.core.errors import ModelChanged
from serve_app.core.memory import Chunk
from serve_app.core.model_change import OwedMemory

Place = tuple[int, UUID]


class InMemoryOwed:
    """Implements fill_vectors.OwedVectors; whatever is written is owed vectors of `other`.

    `interrupt` is called as a standstill begins, when writers can still write.
    """

    def __init__(self, active: str = "old", other: str = "new") -> None:
        self.active, self.other = active, other
        self.memories: dict[Place, OwedMemory] = {}
        self.places: set[Place] = set()
        self.vectors: dict[Place, tuple[Chunk, ...]] = {}
        self.notes: list[tuple[float, str | None]] = []
        self.interrupt: Callable[[], None] = lambda: None
        self.standstills = 0
        self._stands_still = False

    def write(self, number: int, content: str, tenant_id: int = 1) -> Place:
        """Store a memory or change its content."""
        assert not self._stands_still, "nobody writes a content during a standstill"
        digest = sha256(content.encode()).digest()
        memory = OwedMemory(tenant_id, UUID(int=number), content, digest)
        self.memories[memory.key] = memory
        self.vectors.pop(memory.key, None)
        self.places.add(memory.key)
        return memory.key

    def forget(self, place: Place) -> None:
        """Delete a memory and what is owed to it."""
        del self.memories[place]
        self.vectors.pop(place, None)
        self.places.discard(place)

    async def other_model(self) -> str | None:
        return self.other

    async def read(self, after: OwedMemory | None, limit: int) -> list[OwedMemory]:
        behind = sorted(place for place in self.places if after is None or place > after.key)
        return [self.memories[place] for place in behind[:limit]]

    async def store(
        self, model: str, filled: Sequence[tuple[OwedMemory, tuple[Chunk, ...]]]
    ) -> int:
        if model not in (self.active, self.other):
            raise ModelChanged(f"there are no vectors of {model} any more")
        paid = [
            (memory.key, chunks)
            for memory, chunks in filled
            if memory.key in self.places and self.memories[memory.key] == memory
        ]
        self.vectors.update(paid)
        self.places.difference_update(place for place, _ in paid)
        return len(paid)

    async def note(self, per_second: float, error: str | None) -> None:
        self.notes.append((per_second, error))

    async def count(self) -> int:
        return len(self.places)

    @asynccontextmanager
    async def standstill(self) -> AsyncGenerator[None]:
        self.interrupt()
        self.standstills += 1
        self._stands_still = True
        try:
            yield
        finally:
            self._stands_still = False

    async def switch(self, model: str) -> None:
        assert self._stands_still, "a switch is made during a standstill"
        if model == self.other:
            self.active, self.other = self.other, self.active
