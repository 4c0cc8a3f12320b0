"""Revise: change a stored memory; a new content is embedded anew."""

from uuid import UUID

from serve_app.core.errors import Conflict, FleetmemError, PreconditionFailed, StillRunning
from serve_app.core.memory import Chunk, Memory, MemoryChanges
from serve_app.core.text import require_storable
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.once import recall_one
from serve_app.operations.ports import Embedder, Ports


async def revise(
    ports: Ports,
    tenant_id: int,
    memory_id: UUID,
    changes: MemoryChanges,
    expected: frozenset[int] | None = None,
    key: IdempotencyKey | None = None,
) -> Written:
    """The memory as it now is; raises NotFound, InvalidInput or Conflict.

    Raises PreconditionFailed when it is, or meanwhile was, in none of the `expected` versions, and
    under a key what ports.OnceOnly raises.
    """
    if key is None:
        return await _revise(ports, tenant_id, memory_id, changes, expected, None)
    try:
        with ports.running.hold(key):
            return await recall_one(ports, key) or await _revise(
                ports, tenant_id, memory_id, changes, expected, key
            )
    except StillRunning:
        if (done := await recall_one(ports, key)) is None:
            raise
        return done


async def _revise(
    ports: Ports,
    tenant_id: int,
    memory_id: UUID,
    changes: MemoryChanges,
    expected: frozenset[int] | None,
    key: IdempotencyKey | None,
) -> Written:
    if changes.content is not None:
        require_storable(changes.content, "content")
    before = await ports.memories.get(tenant_id, memory_id)
    if expected is not None and before.version not in expected:
        raise PreconditionFailed("the memory is in another version")
    if not changes:
        return Written(before)
    embedder = ports.embedder
    chunks = await _new_chunks(embedder, before, changes)
    asked = (before, changes, ports.clock(), chunks, embedder.model)
    try:
        if key is None:
            written = Written(await ports.memories.revise(*asked))
        else:
            written = await ports.once.revise(key, *asked)
    except Conflict:
        if expected is None:
            raise
        raise PreconditionFailed("the memory was changed meanwhile") from None
    ports.meter.count("memory_operations", operation="update")
    return written


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
