"""A change of the embedding model under way: from one set of vectors to another."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class OwedMemory:
    """A memory that has no vectors of the other model; the hash is that of the content."""

    tenant_id: int
    id: UUID
    content: str
    content_hash: bytes

    @property
    def key(self) -> tuple[int, UUID]:
        """Its place in the order in which owed memories are read."""
        return self.tenant_id, self.id


@dataclass(frozen=True, slots=True)
class ModelChange:
    """From `origin` to `target`; `active` is the one that searches use now.

    `total` is how many memories there were at the start, None until they are listed; `owed` how
    many have no vectors of the other model; `error` is what kept the last batch from being filled.
    """

    origin: str
    target: str
    active: str
    started_at: datetime
    total: int | None
    owed: int
    per_second: float | None
    error: str | None
    index_missing: bool = False

    @property
    def other(self) -> str:
        """The model that is filled in the background."""
        return self.origin if self.active == self.target else self.target

    @property
    def seconds_left(self) -> float | None:
        """Until nothing is owed, at the present rate; None when that is not known."""
        if not self.owed:
            return 0.0
        return self.owed / self.per_second if self.per_second else None
