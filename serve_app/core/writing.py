"""What makes a write safe to send again, and what a write came to."""

from dataclasses import dataclass
from typing import Self

from serve_app.core.errors import FleetmemError
from serve_app.core.memory import Memory


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's word that all requests under it are one; `digest` is the request's sha256."""

    tenant_id: int
    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Written:
    """A memory as a write left it; `is_replayed` when the key had it done before.

    `was_there` when the write asked not to store twice, and an older memory stands for it.
    """

    memory: Memory
    is_replayed: bool = False
    was_there: bool = False

    @classmethod
    def of(cls, given: Memory, outcome: Memory | FleetmemError) -> Self | FleetmemError:
        """What a store made of the memory that it was given; its error is passed on."""
        if isinstance(outcome, FleetmemError):
            return outcome
        return cls(outcome, was_there=outcome.id != given.id)
