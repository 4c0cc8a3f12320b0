"""Walking through many memories: what is asked of a listing, and one page of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from serve_app.core.memory import Kind, Memory, Status


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """Which memories of a tenant to list, newest first by id; None does not filter."""

    tenant_id: int
    agent_id: str | None = None
    user_id: str | None = None
    kind: Kind | None = None
    status: Status | None = Status.ACTIVE
    occurred_from: datetime | None = None
    occurred_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class MemoryPage:
    """One page; `next_after` continues the walk, None ends it."""

    memories: tuple[Memory, ...]
    next_after: UUID | None
