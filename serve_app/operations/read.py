"""Read: one memory, a page of them, or how many there are."""

from uuid import UUID

from serve_app.core.memory import Memory, MemoryVersion, Scope
from serve_app.core.page import MemoryFilter, MemoryPage
from serve_app.operations.ports import Ports


async def get(ports: Ports, tenant_id: int, memory_id: UUID) -> Memory:
    """The memory, archived or not; raises NotFound."""
    return await ports.memories.get(tenant_id, memory_id)


async def page_versions(
    ports: Ports, tenant_id: int, memory_id: UUID, limit: int, before: int | None
) -> list[MemoryVersion]:
    """What the memory is and was, newest first, below version `before`; raises NotFound."""
    versions = await ports.memories.page_versions(tenant_id, memory_id, limit, before)
    if not versions:
        # None below `before` is an answer, and no memory is none.
        await ports.memories.get(tenant_id, memory_id)
    return versions


async def page(ports: Ports, where: MemoryFilter, limit: int, after: UUID | None) -> MemoryPage:
    """One page of the memories that match, newest first."""
    return await ports.memories.page(where, limit, after)


async def count(ports: Ports, scope: Scope) -> int:
    """How many active memories the scope holds; 0 for a scope nobody has written to."""
    return await ports.memories.count(scope)
