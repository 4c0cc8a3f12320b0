"""Writes under idempotency keys over the dictionary of InMemoryMemories."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from serve_app.core.errors import AnswerForgotten, FleetmemError, KeyReused, StillRunning
from serve_app.core.memory import Chunk, EmbeddedMemory, Memory, MemoryChanges
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.ports import Outcomes
from tests.fakes.memories import InMemoryMemories

Entry = tuple[UUID, int, bool] | None


class InMemoryOnce:
    """Implements ports.OnceOnly; a test puts keys that others work under into `running`."""

    def __init__(self, memories: InMemoryMemories) -> None:
        self._memories = memories
        self.kept: dict[tuple[int, str], tuple[bytes, list[Entry]]] = {}
        self.running: set[str] = set()

    async def recall(self, key: IdempotencyKey) -> Outcomes | None:
        self._memories.require_up()
        entries = self._find(key)
        return None if entries is None else [self._tell(entry) for entry in entries]

    async def add(
        self, key: IdempotencyKey, memories: Mapping[int, EmbeddedMemory], size: int
    ) -> Outcomes:
        entries = self._claim(key) or [None] * size
        outcomes = [self._tell(entry) for entry in entries]
        places = [place for place in memories if outcomes[place] is None]
        stored = await self._memories.add([memories[place] for place in places])
        for place, outcome in zip(places, stored, strict=True):
            outcomes[place] = Written.of(memories[place].memory, outcome)
        self._keep(key, [old or _entry(new) for old, new in zip(entries, outcomes, strict=True)])
        return outcomes

    async def revise(
        self,
        key: IdempotencyKey,
        before: Memory,
        changes: MemoryChanges,
        now: datetime,
        chunks: tuple[Chunk, ...] | None,
        model: str = "",
    ) -> Written:
        if (entries := self._claim(key)) is not None:
            outcome = self._tell(entries[0])
            assert isinstance(outcome, Written)
            return outcome
        written = Written(await self._memories.revise(before, changes, now, chunks, model))
        self._keep(key, [_entry(written)])
        return written

    async def forget(
        self,
        key: IdempotencyKey,
        memory_id: UUID,
        agent_id: str | None,
        expected: frozenset[int] | None = None,
    ) -> bool:
        if self._claim(key) is not None:
            return True
        await self._memories.forget(key.tenant_id, memory_id, agent_id, expected)
        self._keep(key, [])
        return False

    def _find(self, key: IdempotencyKey) -> list[Entry] | None:
        digest, entries = self.kept.get((key.tenant_id, key.key), (key.digest, None))
        if digest != key.digest:
            raise KeyReused("the key belongs to another request")
        return entries

    def _claim(self, key: IdempotencyKey) -> list[Entry] | None:
        self._memories.require_up()
        if key.key in self.running:
            raise StillRunning("the request under this key is still running")
        return self._find(key)

    def _tell(self, entry: Entry) -> Written | FleetmemError | None:
        if entry is None:
            return None
        memory_id, version, was_there = entry
        row = self._memories.rows.get(memory_id)
        states = [] if row is None else [row.memory]
        states += [state for state, _ in self._memories.former.get(memory_id, [])]
        for state in states:
            if state.version == version:
                return Written(state, is_replayed=True, was_there=was_there)
        return AnswerForgotten("what was written under this key has been forgotten")

    def _keep(self, key: IdempotencyKey, entries: Sequence[Entry]) -> None:
        if any(entries) or not entries:
            self.kept[key.tenant_id, key.key] = key.digest, list(entries)


def _entry(outcome: Written | FleetmemError | None) -> Entry:
    if not isinstance(outcome, Written):
        return None
    return outcome.memory.id, outcome.memory.version, outcome.was_there
