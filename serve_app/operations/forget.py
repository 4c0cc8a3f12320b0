"""Forget: delete one memory, and every summary that speaks of it."""

from uuid import UUID

from serve_app.operations.ports import Ports


async def forget(
    ports: Ports,
    tenant_id: int,
    memory_id: UUID,
    agent_id: str | None,
    expected: frozenset[int] | None = None,
) -> None:
    """Delete it everywhere; raises NotFound, also when `agent_id` is given and is not its own.

    Raises PreconditionFailed when it is in none of the `expected` versions.
    """
    await ports.memories.forget(tenant_id, memory_id, agent_id, expected)
    ports.meter.count("memory_operations", operation="delete")
