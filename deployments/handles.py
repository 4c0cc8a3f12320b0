"""Remote adapters of the ports: with once_handle.py and ranking_handle.py all `.remote(` there is,
but for direct_handle.py, which passes on what is not called directly.

Every remote failure is translated here. Calls that may safely run twice are retried while their
deadline lasts: reads, embeddings, and adding memories (an id is stored once).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from ray.serve.handle import DeploymentHandle

from deployments.coalescing import Coalescer, Limits
from deployments.direct_handle import Handle
from deployments.parts import DOCUMENTS_PER_CALL, open_parts, send_parts, take_outcome
from deployments.remote_errors import call_once, call_until
from deployments.wire import pack, pack_plain, unpack
from serve_app.core.errors import FleetmemError
from serve_app.core.keys import ApiKey, KeysFound, Tenant
from serve_app.core.memory import (
    Chunk,
    EmbeddedMemory,
    Memory,
    MemoryChanges,
    MemoryVersion,
    Scope,
    Vector,
)
from serve_app.core.page import MemoryFilter, MemoryPage
from serve_app.core.ranking import Candidate, Hit
from serve_app.core.search import FusedSearch, VectorSearch
from serve_app.core.token_window import TokenGrant, TokenRequest
from serve_app.core.usage import Usage
from serve_app.storage.rows import to_candidates, to_plain_search, uuid_of_bytes
from serve_app.telemetry import Meter

T = TypeVar("T")

QUERIES = Limits(concurrency=4, max_items=32)
"""128 questions are a third of a second of one core: what waits longer waits here, in turns."""

DOCUMENTS = Limits(concurrency=4, max_items=DOCUMENTS_PER_CALL)

LEASE_SECONDS = 2.0
"""After that a process counts alone."""

USAGE_SECONDS = 10.0


class RemoteEmbedder:
    """ports.Embedder over the Embedding deployment."""

    def __init__(self, handle: Handle, model: str, meter: Meter, timeout: float) -> None:
        self.model = model
        self._handle = handle
        self._timeout = timeout
        self._queries = Coalescer[str, Vector](
            "embed_query", self._embed_queries, meter, QUERIES, len
        )
        self._documents = Coalescer[str, tuple[Chunk, ...]](
            "embed_documents", self._embed_documents, meter, DOCUMENTS, len
        )
        self._parts = open_parts("embed_part", self._embed_documents, meter)

    async def embed_query(self, text: str, tenant_id: int = 0) -> Vector:
        """See ports.Embedder."""
        return await self._queries.submit(text, tenant_id)

    async def embed_documents(
        self, texts: Sequence[str], tenant_id: int = 0
    ) -> list[tuple[Chunk, ...] | FleetmemError]:
        """See ports.Embedder."""
        if len(texts) == 1:
            return [await take_outcome(self._documents.submit(texts[0], tenant_id))]
        return await send_parts(texts, self._parts, tenant_id)

    async def check_health(self) -> None:
        """See ports.Embedder."""
        await call_once(self._handle.check_model.remote(self.model), self._timeout)

    async def _embed_queries(self, texts: Sequence[str]) -> list[Vector | FleetmemError]:
        return await exchange(self._handle.embed_queries, texts, self._timeout, self.model)

    async def _embed_documents(
        self, texts: Sequence[str]
    ) -> list[tuple[Chunk, ...] | FleetmemError]:
        return await exchange(self._handle.embed_documents, texts, self._timeout, self.model)


class RemoteMemories:
    """ports.Memories over the Retrieval deployment."""

    def __init__(self, handle: Handle, meter: Meter, timeout: float) -> None:
        self._handle = handle
        self._timeout = timeout
        self._searches = Coalescer[VectorSearch, list[Candidate]]("search", self._search, meter)
        self._recalls = Coalescer[FusedSearch, list[Hit]]("recall", self._recall, meter)
        self._adds = Coalescer[EmbeddedMemory, Memory](
            "add", self._add, meter, DOCUMENTS, _estimate_bytes
        )
        self._parts = open_parts("add_part", self._add, meter)

    async def add(self, memories: Sequence[EmbeddedMemory]) -> list[Memory | FleetmemError]:
        """See ports.Memories."""
        tenant_id = memories[0].memory.scope.tenant_id if memories else 0
        if len(memories) == 1:
            return [await take_outcome(self._adds.submit(memories[0], tenant_id))]
        return await send_parts(memories, self._parts, tenant_id)

    async def search(self, search: VectorSearch) -> list[Candidate]:
        """See ports.Memories."""
        return await self._searches.submit(search, search.scope.tenant_id)

    async def recall(self, search: FusedSearch) -> list[Hit]:
        """See ports.Memories."""
        return await self._recalls.submit(search, search.nearest.scope.tenant_id)

    async def surround(self, memories: Sequence[Memory], reach: int) -> list[tuple[Memory, ...]]:
        """See ports.Memories."""
        packed = pack(list(memories))
        return unpack(await self._read(lambda: self._handle.surround.remote(packed, reach)))

    async def get(self, tenant_id: int, memory_id: UUID) -> Memory:
        """See ports.Memories."""
        return await self._read(lambda: self._handle.get.remote(tenant_id, memory_id))

    async def page(self, where: MemoryFilter, limit: int, after: UUID | None) -> MemoryPage:
        """See ports.Memories."""
        return await self._read(lambda: self._handle.page.remote(where, limit, after))

    async def count(self, scope: Scope) -> int:
        """See ports.Memories."""
        return await self._read(lambda: self._handle.count.remote(scope))

    async def revise(
        self,
        before: Memory,
        changes: MemoryChanges,
        now: Any,
        chunks: tuple[Chunk, ...] | None,
        model: str = "",
    ) -> Memory:
        """See ports.Memories; not retried, since a second run would find its own change."""
        return await call_once(
            self._handle.revise.remote(before, changes, now, chunks, model), self._timeout
        )

    async def forget(
        self,
        tenant_id: int,
        memory_id: UUID,
        agent_id: str | None,
        expected: frozenset[int] | None = None,
    ) -> None:
        """See ports.Memories; not retried, since a second run would find nothing."""
        call = self._handle.forget.remote(tenant_id, memory_id, agent_id, expected)
        await call_once(call, self._timeout)

    async def page_versions(
        self, tenant_id: int, memory_id: UUID, limit: int, before: int | None
    ) -> list[MemoryVersion]:
        """See ports.Memories."""
        return await self._read(
            lambda: self._handle.page_versions.remote(tenant_id, memory_id, limit, before)
        )

    async def check_health(self) -> None:
        """See ports.Memories."""
        await call_once(self._handle.check_database.remote(), self._timeout)

    async def _read(self, call: Callable[[], Awaitable[T]]) -> T:
        return await call_until(call, self._timeout)

    async def _search(
        self, searches: Sequence[VectorSearch]
    ) -> list[list[Candidate] | FleetmemError]:
        packed = pack_plain(list(map(to_plain_search, searches)))
        found = unpack(await self._read(lambda: self._handle.search.remote(packed)))
        return [
            to_candidates(rows, search.scope, uuid_of_bytes)
            for rows, search in zip(found, searches, strict=True)
        ]

    async def _recall(self, searches: Sequence[FusedSearch]) -> list[list[Hit] | FleetmemError]:
        return await exchange(self._handle.recall, searches, self._timeout)

    async def _add(self, memories: Sequence[EmbeddedMemory]) -> list[Memory | FleetmemError]:
        return await exchange(self._handle.add, memories, self._timeout)


class RemoteKeys:
    """ports.Keys over the Retrieval deployment; only looks are retried."""

    def __init__(self, handle: DeploymentHandle[Any], timeout: float) -> None:
        self._handle = handle
        self._timeout = timeout

    async def find(self, key_ids: Sequence[str]) -> KeysFound:
        """See ports.Keys."""
        return await exchange(self._handle.find_keys, key_ids, self._timeout)

    async def touch(self, used: Mapping[str, datetime]) -> None:
        """See ports.Keys."""
        await call_once(self._handle.touch_keys.remote(dict(used)), self._timeout)

    async def add_key(self, key: ApiKey, digest: bytes) -> None:
        """See ports.Keys."""
        await call_once(self._handle.add_key.remote(key, digest), self._timeout)

    async def get_key(self, tenant_id: int, key_id: str) -> ApiKey:
        """See ports.Keys."""
        return await call_once(self._handle.get_key.remote(tenant_id, key_id), self._timeout)

    async def list_keys(self, tenant_id: int) -> list[ApiKey]:
        """See ports.Keys."""
        return await call_once(self._handle.list_keys.remote(tenant_id), self._timeout)

    async def revoke_key(self, tenant_id: int, key_id: str, now: datetime) -> None:
        """See ports.Keys."""
        await call_once(self._handle.revoke_key.remote(tenant_id, key_id, now), self._timeout)

    async def replace_key(self, retired: ApiKey, key: ApiKey, digest: bytes) -> None:
        """See ports.Keys."""
        await call_once(self._handle.replace_key.remote(retired, key, digest), self._timeout)

    async def add_tenant(self, name: str, now: datetime) -> Tenant:
        """See ports.Keys."""
        return await call_once(self._handle.add_tenant.remote(name, now), self._timeout)

    async def list_tenants(self) -> list[Tenant]:
        """See ports.Keys."""
        return await call_once(self._handle.list_tenants.remote(), self._timeout)

    async def find_tenant(self, name: str) -> Tenant:
        """See ports.Keys."""
        return await call_once(self._handle.find_tenant.remote(name), self._timeout)

    async def set_suspended(self, name: str, suspended: bool) -> Tenant:
        """See ports.Keys."""
        return await call_once(self._handle.set_suspended.remote(name, suspended), self._timeout)


class RemoteLimits:
    """ports.TokenStore and ports.TenantLimits over the Retrieval deployment."""

    def __init__(self, handle: DeploymentHandle[Any], meter: Meter) -> None:
        self._handle = handle
        self._leases = Coalescer[TokenRequest, TokenGrant]("lease_tokens", self._lease, meter)

    async def lease(self, request: TokenRequest) -> TokenGrant:
        """See ports.TokenStore."""
        return await self._leases.submit(request, request.tenant_id)

    async def overrides(self) -> dict[int, dict[str, str]]:
        """See ports.TenantLimits."""
        return await call_once(self._handle.limit_overrides.remote(), LEASE_SECONDS)

    async def usage(self, tenant_id: int) -> Usage:
        """See ports.TenantLimits."""
        return await call_until(lambda: self._handle.usage.remote(tenant_id), USAGE_SECONDS)

    async def _lease(self, requests: Sequence[TokenRequest]) -> list[TokenGrant | FleetmemError]:
        # Never twice: a grant that is lost counts as spent.
        response = self._handle.lease_tokens.remote(pack(list(requests)))
        return unpack(await call_once(response, LEASE_SECONDS))


async def ask_models(handle: DeploymentHandle[Any], seconds: float) -> Sequence[str]:
    """The models that the Retrieval deployment has vectors of, the active one first."""
    return await call_until(lambda: handle.stored_models.remote(), seconds)


async def exchange(method: Any, items: Sequence[Any], seconds: float, *others: str) -> Any:
    """The outcomes of a list, both packed; for calls that may run twice."""
    packed = pack(list(items))
    return unpack(await call_until(lambda: method.remote(packed, *others), seconds))


def _estimate_bytes(embedded: EmbeddedMemory) -> int:
    vectors = sum(chunk.vector.nbytes for chunk in embedded.chunks)
    return len(embedded.memory.content) + vectors
