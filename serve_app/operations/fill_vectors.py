"""Fill: embed with the other model what has no vectors of it yet; and switch to it.

What is owed stands in the database, and a batch is one transaction: whoever is killed loses one
batch of work, and the next one goes on.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from time import monotonic
from typing import Protocol

from serve_app.core.errors import FleetmemError, Unavailable
from serve_app.core.memory import Chunk
from serve_app.core.model_change import OwedMemory
from serve_app.operations.ports import Embedder
from serve_app.telemetry import Meter

BATCH = 64
"""Memories that are embedded and stored at a time."""

MOST_UNDER_LOCK = 8
"""Memories that are embedded while writers wait for a switch."""

SWITCH_ATTEMPTS = 50

MOST_FAILURES = 3
"""Batches in a row that fail as a whole before a pass ends: then it is not the texts."""


class OwedVectors(Protocol):
    """What filling needs of storage; one filler at a time. Raises DatabaseUnavailable."""

    async def other_model(self) -> str | None:
        """The model to fill, or None while no change is under way."""
        ...

    async def read(self, after: OwedMemory | None, limit: int) -> list[OwedMemory]:
        """Owed memories behind `after`, at least one if there is any, and not too much text."""
        ...

    async def store(
        self, model: str, filled: Sequence[tuple[OwedMemory, tuple[Chunk, ...]]]
    ) -> int:
        """Store vectors in one transaction; what changed meanwhile stays owed. How many were."""
        ...

    async def note(self, per_second: float, error: str | None) -> None:
        """Keep how fast it goes, and what went wrong with the last batch."""
        ...

    async def count(self) -> int:
        """How many memories are owed vectors."""
        ...

    def standstill(self) -> AbstractAsyncContextManager[None]:
        """A transaction during which nobody writes a content."""
        ...

    async def switch(self, model: str) -> None:
        """Make the other model the active one; only within `standstill`."""
        ...


async def fill(owed: OwedVectors, embedder: Embedder, meter: Meter) -> int:
    """Go once through everything that is owed; returns how many memories got their vectors.

    A text that cannot be embedded is passed over, and stays owed; where none can be, it ends.
    """
    filled = failures = 0
    last: OwedMemory | None = None
    while failures < MOST_FAILURES and (batch := await owed.read(last, BATCH)):
        started = monotonic()
        paid, error = await _fill_batch(owed, embedder, batch)
        await owed.note(len(batch) / max(monotonic() - started, 1e-3), error)
        meter.count("reembed_memories_filled", paid)
        meter.gauge("reembed_memories_owed", await owed.count())
        filled += paid
        failures = failures + 1 if error and not paid else 0
        last = batch[-1]
    return filled


async def switch(owed: OwedVectors, embedder: Embedder, meter: Meter) -> None:
    """Make the embedder's model the active one, in one step, once nothing is owed to it.

    Writers wait while the last few memories are embedded; searches don't. Raises Unavailable
    when some memory cannot be filled, or when more is written than is filled.
    """
    for _ in range(SWITCH_ATTEMPTS):
        await fill(owed, embedder, meter)
        async with owed.standstill():
            left = await owed.read(None, MOST_UNDER_LOCK)
            error = (await _fill_batch(owed, embedder, left))[1] if left else None
            if not await owed.count():
                await owed.switch(embedder.model)
                return
        if error is not None:
            raise Unavailable(f"a memory cannot be embedded with {embedder.model}: {error}")
    raise Unavailable("memories are written faster than they are embedded; try again later")


async def _fill_batch(
    owed: OwedVectors, embedder: Embedder, batch: Sequence[OwedMemory]
) -> tuple[int, str | None]:
    """How many were stored, and the code of an error if any was not."""
    outcomes = await embedder.embed_documents([memory.content for memory in batch])
    ready = [
        (memory, outcome)
        for memory, outcome in zip(batch, outcomes, strict=True)
        if not isinstance(outcome, FleetmemError)
    ]
    errors = [outcome.code for outcome in outcomes if isinstance(outcome, FleetmemError)]
    paid = await owed.store(embedder.model, ready) if ready else 0
    return paid, errors[0] if errors else None
