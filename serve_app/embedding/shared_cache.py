"""Vectors that all replicas share in a store, which may be slow, away or wrong at any time."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from serve_app.core.errors import Unavailable
from serve_app.core.memory import Vector
from serve_app.operations.ports import VectorStore
from serve_app.telemetry import Meter

ANSWER_SECONDS = 0.02
"""What a look-up may cost a caller: an inference takes no longer."""

LATE_TIMES = 3
"""In a row until the store is left alone: one may be a stall of our own event loop."""

REST_SECONDS = 5.0
OPEN_SECONDS = 5.0
LOOK_UP_NAMES, SAVED_VECTORS, UNSAVED_VECTORS = 256, 64, 1024


@dataclass(frozen=True, slots=True)
class _LookUp:
    """Names that a caller waits for, and the future that he waits on."""

    names: Sequence[str]
    answer: asyncio.Future[list[bytes | None]]


class SharedCache:
    """Finds and keeps vectors of `dimension` numbers; never raises, and makes nobody wait long.

    The store is reached in the background, at the first use and REST_SECONDS after it was lost;
    until then nothing is asked. Concurrent look-ups leave together. `clock` gives seconds that
    never go back.
    """

    def __init__(
        self, store: VectorStore, dimension: int, meter: Meter, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._dimension = dimension
        self._meter = meter
        self._clock = clock
        self._is_there = False
        self._rests_until = 0.0
        self._late_times = 0
        self._late_until = 0.0
        self._asked: list[_LookUp] = []
        self._unsaved: dict[str, Vector] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def find(self, names: Sequence[str]) -> dict[str, Vector]:
        """The vectors that are there and right, read-only, float32; none when the store is not."""
        if not self._can_ask():
            self._count("skipped", len(names))
            return {}
        answer: asyncio.Future[list[bytes | None]] = asyncio.get_running_loop().create_future()
        self._asked.append(_LookUp(names, answer))
        self._run("find", self._look_up)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                values = await answer
        except (TimeoutError, Unavailable) as error:
            self._count("failed", len(names))
            if isinstance(error, TimeoutError):
                self._note_late()
            return {}
        self._late_times = 0
        return self._read(names, values)

    def keep(self, vectors: Mapping[str, Vector]) -> None:
        """Save them soon, in the background; what is too much is dropped."""
        if not self._is_there:
            return
        room = max(0, UNSAVED_VECTORS - len(self._unsaved))
        self._count("dropped", max(0, len(vectors) - room))
        self._unsaved |= dict(islice(vectors.items(), room))
        self._run("keep", self._save)

    def _can_ask(self) -> bool:
        if not self._is_there and self._clock() >= self._rests_until:
            self._run("open", self._open)
        return self._is_there

    def _run(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Start the work of that name unless it is at it."""
        if name not in self._tasks or self._tasks[name].done():
            self._tasks[name] = asyncio.create_task(work())

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self._store.check_health()
        except (Unavailable, TimeoutError):
            self._count("unreachable")
            self._lose()
        else:
            self._is_there, self._late_times = True, 0

    def _note_late(self) -> None:
        """All who gave up together did so at one time."""
        now = self._clock()
        if now < self._late_until:
            return
        self._late_until = now + ANSWER_SECONDS
        self._late_times += 1
        if self._late_times >= LATE_TIMES:
            self._lose()

    def _lose(self) -> None:
        """Leave the store alone for a while."""
        self._is_there = False
        self._rests_until = self._clock() + REST_SECONDS
        self._unsaved.clear()

    async def _look_up(self) -> None:
        """One statement after the other, each for all who wait by then."""
        while batch := self._take():
            names = [name for look_up in batch for name in look_up.names]
            try:
                values = await self._store.find(names)
            except Unavailable as error:
                self._lose()
                for look_up in batch:
                    if not look_up.answer.done():
                        look_up.answer.set_exception(error)
                continue
            start = 0
            for look_up in batch:
                end = start + len(look_up.names)
                if not look_up.answer.done():
                    look_up.answer.set_result(values[start:end])
                start = end

    def _take(self) -> list[_LookUp]:
        """What waits, as much as one statement takes; callers who have left are not asked for."""
        batch: list[_LookUp] = []
        size = 0
        while self._asked and (not batch or size + len(self._asked[0].names) <= LOOK_UP_NAMES):
            look_up = self._asked.pop(0)
            if not look_up.answer.done():
                batch.append(look_up)
                size += len(look_up.names)
        return batch

    async def _save(self) -> None:
        while self._unsaved:
            batch = dict(islice(self._unsaved.items(), SAVED_VECTORS))
            for name in batch:
                del self._unsaved[name]
            values = {name: vector.astype("<f4").tobytes() for name, vector in batch.items()}
            try:
                await self._store.keep(values)
            except Unavailable:
                self._count("dropped", len(values))
                self._lose()
            else:
                self._count("kept", len(values))

    def _read(self, names: Sequence[str], values: Sequence[bytes | None]) -> dict[str, Vector]:
        """What is a unit vector of the model's dimension; anything else is never trusted."""
        found: dict[str, Vector] = {}
        for name, value in zip(names, values, strict=True):
            if value is None:
                continue
            if (vector := _decode(value, self._dimension)) is not None:
                found[name] = vector
        invalid = sum(value is not None for value in values) - len(found)
        self._count("hit", len(found))
        self._count("invalid", invalid)
        self._count("miss", len(names) - len(found) - invalid)
        return found

    def _count(self, outcome: str, amount: int = 1) -> None:
        if amount:
            self._meter.count("embedding_shared_cache", amount, outcome=outcome)


def _decode(value: bytes, dimension: int) -> Vector | None:
    """A unit vector of its bytes, float32 in little-endian order; None when they are no such."""
    if len(value) != 4 * dimension:
        return None
    vector = np.frombuffer(value, "<f4")
    return vector if abs(float(vector @ vector) - 1.0) < 0.01 else None
