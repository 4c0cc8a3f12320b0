"""Revise: change a stored memory; a new content is embedded anew."""

from uuid import UUID

from serve_app.core.errors import Conflict, FleetmemError, PreconditionFailed
from serve_app.core.memory import Chunk, Memory, MemoryChanges
from serve_app.core.text import require_storable
from serve_app.operations.ports import Embedder, Ports


async def revise(
    ports: Ports,
    tenant_id: int,
    memory_id: UUID,
    changes: MemoryChanges,
    expected: frozenset[int] | None = None,
) -> Memory:
    """The memory as it now is; raises NotFound, InvalidInput or Conflict.

    Raises PreconditionFailed when it is, or meanwhile was, in none of the `expected` versions.
    """
    if changes.content is not None:
        require_storable(changes.content, "content")
    before = await ports.memories.get(tenant_id, memory_id)
    if expected is not None and before.version not in expected:
        raise PreconditionFailed("the memory is in another version")
    if not changes:
        return before
    embedder = ports.embedder
    chunks = await _new_chunks(embedder, before, changes)
    try:
        after = await ports.memories.revise(before, changes, ports.clock(), chunks, embedder.model)
    except Conflict:
        if expected is None:
            raise
        raise PreconditionFailed("the memory was changed meanwhile") from None
    ports.meter.count("memory_operations", operation="update")
    return after


async def _new_chunks(
    embedder: Embedder, before: Memory, changes: MemoryChanges
) -> tuple[Chunk, ...] | None:
    """The vectors of the new content; None when the content stays."""
    if changes.content is None or changes.content == before.content:
        return None
    [chunks] = await embedder.embed_documents([changes.content], before.scope.tenant_id)
    if isinstance(chunks, FleetmemError):
        raise chunks
    return chunks
