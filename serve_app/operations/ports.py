"""What the verbs need of the world; a port's real thing and its fake share one contract."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from serve_app.core.errors import FleetmemError
from serve_app.core.keys import ApiKey, KeysFound, Tenant
from serve_app.core.memory import (
    Chunk,
    EmbeddedMemory,
    Memory,
    MemoryChanges,
    MemoryVersion,
    Scope,
)
from serve_app.core.page import MemoryFilter, MemoryPage
from serve_app.core.ranking import Candidate, Hit
from serve_app.core.ranking_default import RankingDefault
from serve_app.core.search import FusedSearch, VectorSearch
from serve_app.core.summary import SummaryRules
from serve_app.core.token_window import TokenGrant, TokenRequest
from serve_app.core.usage import Usage
from serve_app.operations.embedder_ports import Embedder as Embedder
from serve_app.operations.embedder_ports import Models
from serve_app.operations.embedder_ports import Reranker as Reranker
from serve_app.operations.language_ports import Calendar as Calendar
from serve_app.operations.language_ports import SentenceSplitter as SentenceSplitter
from serve_app.operations.once_port import OnceOnly as OnceOnly
from serve_app.operations.once_port import Outcomes as Outcomes
from serve_app.operations.running_keys import RunningKeys
from serve_app.telemetry import Meter


class Memories(Protocol):
    """The stored memories. Every call is one transaction; raises DatabaseUnavailable.

    Vectors of a model that is not stored, and contents with those of another than the active one,
    are refused with ModelChanged: the present embedder makes them anew.

    What would take a tenant over its quota is refused with QuotaExceeded, and changes nothing.
    """

    async def add(self, memories: Sequence[EmbeddedMemory]) -> list[Memory | FleetmemError]:
        """Store each, its own outcome in order: an id once; what asks to `dedupe`, if it is new."""
        ...

    async def search(self, search: VectorSearch) -> list[Candidate]:
        """Enough candidates that the true top_k is among them; at least min(top_k, matching)."""
        ...

    async def recall(self, search: FusedSearch) -> list[Hit]:
        """The best top_k of a pool, best first: the nearest, the best by words, and what is beside.

        At least min(top_k, matching), as `search`.
        """
        ...

    async def surround(self, memories: Sequence[Memory], reach: int) -> list[tuple[Memory, ...]]:
        """Of each memory up to `reach` active ones before and after it in its session, in order."""
        ...

    async def get(self, tenant_id: int, memory_id: UUID) -> Memory:
        """The memory whatever its status; raises NotFound."""
        ...

    async def page(self, where: MemoryFilter, limit: int, after: UUID | None) -> MemoryPage:
        """At most `limit` memories older than `after`, newest first by id."""
        ...

    async def count(self, scope: Scope) -> int:
        """How many active memories the scope holds."""
        ...

    async def revise(
        self,
        before: Memory,
        changes: MemoryChanges,
        now: datetime,
        chunks: tuple[Chunk, ...] | None,
        model: str = "",
    ) -> Memory:
        """Apply `changes` to `before`; raises Conflict when it is no longer what is stored.

        `chunks` by `model` are given exactly when the content changes. A folded source is unfolded
        first: its summaries are withdrawn and their other sources are active again.
        """
        ...

    async def forget(
        self,
        tenant_id: int,
        memory_id: UUID,
        agent_id: str | None,
        expected: frozenset[int] | None = None,
    ) -> None:
        """Delete the memory, its versions and what it was folded from; withdraw its summaries.

        Raises NotFound, also when `agent_id` is given and differs; PreconditionFailed when the
        memory is in none of the `expected` versions.
        """
        ...

    async def page_versions(
        self, tenant_id: int, memory_id: UUID, limit: int, before: int | None
    ) -> list[MemoryVersion]:
        """At most `limit` versions below `before`, newest first; none of an unknown memory."""
        ...

    async def check_health(self) -> None:
        """Return when the database answers; raise DatabaseUnavailable otherwise."""
        ...


class Keys(Protocol):
    """Tenants and the keys they hold. Every call is one transaction; raises DatabaseUnavailable."""

    async def find(self, key_ids: Sequence[str]) -> KeysFound:
        """The records of those that exist, in any tenant, all of one moment; ids may be none."""
        ...

    async def touch(self, used: Mapping[str, datetime]) -> None:
        """Note when keys were last used, unless a later use is noted; unknown ids are passed."""
        ...

    async def add_key(self, key: ApiKey, digest: bytes) -> None:
        """Store a key; raises NameTaken when its id exists, in whatever tenant."""
        ...

    async def get_key(self, tenant_id: int, key_id: str) -> ApiKey:
        """One key, valid or not; raises KeyNotFound."""
        ...

    async def list_keys(self, tenant_id: int) -> list[ApiKey]:
        """All keys of a tenant, also those that ended, oldest first."""
        ...

    async def revoke_key(self, tenant_id: int, key_id: str, now: datetime) -> None:
        """End a key for good; harmless when it is revoked already. Raises KeyNotFound."""
        ...

    async def replace_key(self, retired: ApiKey, key: ApiKey, digest: bytes) -> None:
        """Give `retired` its new end and store `key` beside it; raises KeyNotFound."""
        ...

    async def add_tenant(self, name: str, now: datetime) -> Tenant:
        """A new tenant; raises NameTaken."""
        ...

    async def list_tenants(self) -> list[Tenant]:
        """All tenants, oldest first."""
        ...

    async def find_tenant(self, name: str) -> Tenant:
        """The tenant of this name; raises TenantNotFound."""
        ...

    async def set_suspended(self, name: str, suspended: bool) -> Tenant:
        """Suspend or resume a tenant; raises TenantNotFound."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """A time-limited claim on one scope, held by one summariser."""

    scope_id: int
    scope: Scope
    holder: UUID


class Summaries(Protocol):
    """What the summariser needs of storage."""

    async def crowded_scopes(self, threshold: int, limit: int) -> list[int]:
        """Ids of scopes with more than `threshold` active memories that can be folded."""
        ...

    async def claim(self, scope_id: int, holder: UUID, seconds: int) -> Lease | None:
        """The lease, or None while somebody else holds it."""
        ...

    async def oldest(self, lease: Lease, rules: SummaryRules) -> list[Memory]:
        """The oldest `rules.batch_size` active memories of whichever sort passed the threshold.

        Episodic memories first; summaries (semantic memories with sources) when those crowd.
        """
        ...

    async def fold(self, lease: Lease, sources: Sequence[Memory], summary: EmbeddedMemory) -> bool:
        """Store `summary` and archive `sources` in one transaction.

        False, and nothing is changed, when the lease is lost or any source is not as it was read.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Give the lease back; no error when it has expired."""
        ...


class TokenStore(Protocol):
    """The windows of all rate limits, shared by all processes (core/token_window.py)."""

    async def lease(self, request: TokenRequest) -> TokenGrant:
        """Settle and grant, in one step; raises Unavailable soon when the store is away."""
        ...


class VectorStore(Protocol):
    """Vectors that processes share, as bytes under a name each; it may forget any at any time."""

    async def find(self, names: Sequence[str]) -> list[bytes | None]:
        """What is kept under each name, in order; raises Unavailable."""
        ...

    async def keep(self, values: Mapping[str, bytes]) -> None:
        """Keep each for a while, in place of what was there; raises Unavailable."""
        ...

    async def check_health(self) -> None:
        """Return when it answers, with its connections open; raises Unavailable otherwise."""
        ...


class TenantLimits(Protocol):
    """What an operator has set for single tenants; raises Unavailable."""

    async def overrides(self) -> Mapping[int, Mapping[str, str]]:
        """By tenant, the names of LimitRules' fields with limits as text, or `unlimited`."""
        ...

    async def usage(self, tenant_id: int) -> Usage:
        """What the tenant holds and may hold; zeros for one that never wrote."""
        ...


class RankingDefaults(Protocol):
    """What tenants and agents chose for requests that do not choose; raises Unavailable."""

    async def profiles(self) -> Mapping[tuple[int, str], str]:
        """Names of profiles by tenant and agent, of all who chose one."""
        ...

    async def list(self, tenant_id: int) -> list[RankingDefault]:
        """All of one tenant, its own first, then by agent."""
        ...

    async def put(self, tenant_id: int, default: RankingDefault) -> None:
        """Set one in the place of what its agent had.

        Raises InvalidInput for a language that the database does not know, or too many.
        """
        ...

    async def drop(self, tenant_id: int, agent_id: str) -> None:
        """Take one away; no error where there is none."""
        ...

    async def change_language(
        self, tenant_id: int, agent_id: str, user_id: str, language: str
    ) -> None:
        """Read the words of one scope anew in another language.

        Raises InvalidInput for an unknown language, and for a scope that there is not.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything a verb may touch; `clock` gives aware UTC times, `new_id` ids sorted by time."""

    memories: Memories
    models: Models
    once: OnceOnly
    limits: TenantLimits
    meter: Meter
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    calendar: Calendar
    reranker: Reranker | None = None
    running: RunningKeys = field(default_factory=RunningKeys)

    @property
    def embedder(self) -> Embedder:
        """The present one; see Models."""
        return self.models.present
