import pytest

from serve_app.core.errors import NotFound
from serve_app.operations.forget import forget
from tests.fakes.world import World


async def test_it_is_deleted_and_counted() -> None:
    world = World()
    memory = await world.remember("rain")
    await forget(world.ports, 1, memory.id, "agent")
    with pytest.raises(NotFound):
        await world.memories.get(1, memory.id)
    assert world.meter.total("memory_operations", operation="delete") == 1


async def test_another_agents_memory_is_not_found_nor_counted() -> None:
    world = World()
    memory = await world.remember("rain")
    with pytest.raises(NotFound):
        await forget(world.ports, 1, memory.id, "stranger")
    with pytest.raises(NotFound):
        await forget(world.ports, 2, memory.id, None)
    assert await world.memories.get(1, memory.id) == memory
    assert world.meter.total("memory_operations", operation="delete") == 0
