"""Remote adapters of the ports: the only `.remote(` of the house.

Every remote failure is translated here. Calls that may safely run twice are retried while their
deadline lasts: reads, embeddings, and adding memories (an id is stored once).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from ray.serve.handle import DeploymentHandle

from deployments.coalescing import Coalescer
from deployments.remote_errors import call_once, call_until
from deployments.wire import pack, unpack
from serve_app.core.errors import FleetmemError
from serve_app.core.memory import Chunk, EmbeddedMemory, Memory, MemoryChanges, Scope, Vector
from serve_app.core.page import MemoryFilter, MemoryPage
from serve_app.core.ranking import Candidate
from serve_app.core.search import VectorSearch
from serve_app.telemetry import Meter

T = TypeVar("T")

DOCUMENTS_PER_CALL = 64
"""Texts or memories of one remote call: 64 of 8,000 characters stay far below gRPC's limit."""


class RemoteEmbedder:
    """ports.Embedder over the Embedding deployment."""

    def __init__(
        self, handle: DeploymentHandle[Any], model: str, meter: Meter, timeout: float
    ) -> None:
        self.model = model
        self._handle = handle
        self._timeout = timeout
        self._queries = Coalescer[str, Vector]("embed_query", self._embed_queries, meter)
        self._documents = Coalescer[str, tuple[Chunk, ...]](
            "embed_documents", self._embed_documents, meter, max_items=DOCUMENTS_PER_CALL
        )

    async def embed_query(self, text: str) -> Vector:
        """See ports.Embedder."""
        return await self._queries.submit(text)

    async def embed_documents(
        self, texts: Sequence[str]
    ) -> list[tuple[Chunk, ...] | FleetmemError]:
        """See ports.Embedder."""
        if len(texts) == 1:
            return [await _outcome(self._documents.submit(texts[0]))]
        return await _in_parts(texts, self._embed_documents)

    async def check_health(self) -> None:
        """See ports.Embedder."""
        await call_once(self._handle.check_model.remote(), self._timeout)

    async def _embed_queries(self, texts: Sequence[str]) -> list[Vector | FleetmemError]:
        return await _exchange(self._handle.embed_queries, texts, self._timeout)

    async def _embed_documents(
        self, texts: Sequence[str]
    ) -> list[tuple[Chunk, ...] | FleetmemError]:
        return await _exchange(self._handle.embed_documents, texts, self._timeout)


class RemoteMemories:
    """ports.Memories over the Retrieval deployment."""

    def __init__(self, handle: DeploymentHandle[Any], meter: Meter, timeout: float) -> None:
        self._handle = handle
        self._timeout = timeout
        self._searches = Coalescer[VectorSearch, list[Candidate]]("search", self._search, meter)
        self._adds = Coalescer[EmbeddedMemory, Memory](
            "add", self._add, meter, max_items=DOCUMENTS_PER_CALL
        )

    async def add(self, memories: Sequence[EmbeddedMemory]) -> list[Memory | FleetmemError]:
        """See ports.Memories."""
        if len(memories) == 1:
            return [await _outcome(self._adds.submit(memories[0]))]
        return await _in_parts(memories, self._add)

    async def search(self, search: VectorSearch) -> list[Candidate]:
        """See ports.Memories."""
        return await self._searches.submit(search)

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
    ) -> Memory:
        """See ports.Memories; not retried, since a second run would find its own change."""
        return await call_once(
            self._handle.revise.remote(before, changes, now, chunks), self._timeout
        )

    async def forget(self, tenant_id: int, memory_id: UUID, agent_id: str | None) -> None:
        """See ports.Memories; not retried, since a second run would find nothing."""
        await call_once(self._handle.forget.remote(tenant_id, memory_id, agent_id), self._timeout)

    async def check_health(self) -> None:
        """See ports.Memories."""
        await call_once(self._handle.check_database.remote(), self._timeout)

    async def _read(self, call: Callable[[], Awaitable[T]]) -> T:
        return await call_until(call, self._timeout)

    async def _search(
        self, searches: Sequence[VectorSearch]
    ) -> list[list[Candidate] | FleetmemError]:
        return await _exchange(self._handle.search, searches, self._timeout)

    async def _add(self, memories: Sequence[EmbeddedMemory]) -> list[Memory | FleetmemError]:
        return await _exchange(self._handle.add, memories, self._timeout)


async def _exchange(method: Any, items: Sequence[Any], seconds: float) -> Any:
    """The outcomes of a list, both packed; for calls that may run twice."""
    packed = pack(list(items))
    return unpack(await call_until(lambda: method.remote(packed), seconds))


async def _outcome(pending: Awaitable[T]) -> T | FleetmemError:
    """The result, or the error as a value."""
    try:
        return await pending
    except FleetmemError as error:
        return error


async def _in_parts(
    items: Sequence[Any], send: Callable[[Sequence[Any]], Awaitable[list[Any]]]
) -> list[Any]:
    """Send a long list part by part; a part that fails gives its error to each of its items."""
    outcomes: list[Any] = []
    for start in range(0, len(items), DOCUMENTS_PER_CALL):
        part = items[start : start + DOCUMENTS_PER_CALL]
        answer = await _outcome(send(part))
        outcomes += [answer] * len(part) if isinstance(answer, FleetmemError) else answer
    return outcomes
