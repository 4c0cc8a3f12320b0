"""The port of writes under idempotency keys; ports.py has it with the others."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from serve_app.core.errors import FleetmemError
from serve_app.core.memory import Chunk, EmbeddedMemory, Memory, MemoryChanges
from serve_app.core.writing import IdempotencyKey, Written

Outcomes = list[Written | FleetmemError | None]
"""Of each part of a request, in order; None where nothing was written so far."""


class OnceOnly(Protocol):
    """Writes under an idempotency key: the effect and its outcome are one transaction.

    Each raises KeyReused for another request's key, and DatabaseUnavailable; a write that finds
    itself done tells it as replayed, and raises StillRunning while another has the key, and
    ModelChanged for vectors of a model that is not present any more. What has been
    forgotten since is AnswerForgotten in the place of its memory.
    """

    async def recall(self, key: IdempotencyKey) -> Outcomes | None:
        """What was written under the key, each as it was then; None for a new key."""
        ...

    async def add(
        self, key: IdempotencyKey, memories: Mapping[int, EmbeddedMemory], size: int
    ) -> Outcomes:
        """Store `memories` at their places in a request of `size`, where nothing was stored.

        The rest are what was stored before. A memory's failure is its own, and is not kept.
        """
        ...

    async def revise(
        self,
        key: IdempotencyKey,
        before: Memory,
        changes: MemoryChanges,
        now: datetime,
        chunks: tuple[Chunk, ...] | None,
        model: str = "",
    ) -> Written:
        """As Memories.revise."""
        ...

    async def forget(
        self,
        key: IdempotencyKey,
        memory_id: UUID,
        agent_id: str | None,
        expected: frozenset[int] | None = None,
    ) -> bool:
        """As Memories.forget; whether it had been done before."""
        ...
