"""Forget: delete one memory, and every summary that speaks of it."""

from uuid import UUID

from serve_app.core.writing import IdempotencyKey
from serve_app.operations.ports import Ports


async def forget(
    ports: Ports,
    tenant_id: int,
    memory_id: UUID,
    agent_id: str | None,
    expected: frozenset[int] | None = None,
    key: IdempotencyKey | None = None,
) -> bool:
    """Delete it everywhere; raises NotFound, also when `agent_id` is given and is not its own.

    Raises PreconditionFailed when it is in none of the `expected` versions. True when the key had
    it done before.
    """
    if key is None:
        await ports.memories.forget(tenant_id, memory_id, agent_id, expected)
    elif await ports.once.forget(key, memory_id, agent_id, expected):
        return True
    ports.meter.count("memory_operations", operation="delete")
    return False
