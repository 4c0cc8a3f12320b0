"""The nouns: what a memory is, before, while and after it is stored."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""One unit-length embedding, shape (dimension,), float32."""


class Kind(StrEnum):
    """What sort of thing an agent remembers (memex calls it memory_type)."""

    EPISODIC = "episodic"
    SEMANTIC = "semantic"
    PROCEDURAL = "procedural"


class Status(StrEnum):
    """Where a memory is in its life; only active ones are found by a search."""

    ACTIVE = "active"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose memory it is: searches never look outside one scope."""

    tenant_id: int
    agent_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class MemoryDraft:
    """A memory as a caller words it, not yet stored. `importance` is in [0, 1].

    `dedupe`: an active memory of the scope, of this kind and content, stands for it; of equal ones
    that are stored together, the first.
    """

    scope: Scope
    content: str
    kind: Kind = Kind.EPISODIC
    importance: float = 0.5
    occurred_at: datetime | None = None
    session_id: str | None = None
    dedupe: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """A stored memory. `sources` are set on a summary, `superseded_by` on what it folded.

    `version` counts from 1 and rises with every change, folding and unfolding included.
    """

    id: UUID
    scope: Scope
    content: str
    kind: Kind
    importance: float
    created_at: datetime
    occurred_at: datetime
    updated_at: datetime
    status: Status = Status.ACTIVE
    sources: tuple[UUID, ...] = ()
    superseded_by: UUID | None = None
    version: int = 1
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class MemoryVersion:
    """What a memory was from `valid_from` to `valid_to`; the present version has no end."""

    version: int
    content: str
    kind: Kind
    importance: float
    occurred_at: datetime
    status: Status
    superseded_by: UUID | None
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """The span [start, end) of a content, in characters, and its embedding."""

    start: int
    end: int
    vector: Vector


@dataclass(frozen=True, slots=True)
class EmbeddedMemory:
    """A memory with the vectors of all its chunks (at least one), ready to be stored.

    `dedupe` as in MemoryDraft.
    """

    memory: Memory
    chunks: tuple[Chunk, ...]
    model: str
    dedupe: bool = False


@dataclass(frozen=True, slots=True)
class MemoryChanges:
    """What a caller wants changed; None leaves a field as it is."""

    content: str | None = None
    kind: Kind | None = None
    importance: float | None = None
    occurred_at: datetime | None = None
    status: Status | None = None

    def __bool__(self) -> bool:
        """Whether anything at all is to change."""
        return any(
            value is not None
            for value in (self.content, self.kind, self.importance, self.occurred_at, self.status)
        )
