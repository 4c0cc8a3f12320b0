"""The remote adapter of ports.OnceOnly."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from ray.serve.handle import DeploymentHandle

from deployments.remote_errors import call_until
from deployments.wire import pack
from serve_app.core.memory import Chunk, EmbeddedMemory, Memory, MemoryChanges
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.ports import Outcomes

T = TypeVar("T")


class RemoteOnce:
    """ports.OnceOnly over the Retrieval deployment; each call may run twice, so it is retried."""

    def __init__(self, handle: DeploymentHandle[Any], timeout: float) -> None:
        self._handle = handle
        self._timeout = timeout

    async def recall(self, key: IdempotencyKey) -> Outcomes | None:
        """See ports.OnceOnly."""
        return await self._call(lambda: self._handle.recall_once.remote(key))

    async def add(
        self, key: IdempotencyKey, memories: Mapping[int, EmbeddedMemory], size: int
    ) -> Outcomes:
        """See ports.OnceOnly; one call, since it is one transaction."""
        packed = pack(dict(memories))
        return await self._call(lambda: self._handle.add_once.remote(key, packed, size))

    async def revise(
        self,
        key: IdempotencyKey,
        before: Memory,
        changes: MemoryChanges,
        now: datetime,
        chunks: tuple[Chunk, ...] | None,
        model: str = "",
    ) -> Written:
        """See ports.OnceOnly."""
        return await self._call(
            lambda: self._handle.revise_once.remote(key, before, changes, now, chunks, model)
        )

    async def forget(
        self,
        key: IdempotencyKey,
        memory_id: UUID,
        agent_id: str | None,
        expected: frozenset[int] | None = None,
    ) -> bool:
        """See ports.OnceOnly."""
        return await self._call(
            lambda: self._handle.forget_once.remote(key, memory_id, agent_id, expected)
        )

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        return await call_until(call, self._timeout)
