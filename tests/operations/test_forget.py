import pytest

from serve_app.core.errors import NotFound, PreconditionFailed
from serve_app.core.writing import IdempotencyKey
from serve_app.operations.forget import forget
from tests.fakes.world import World

KEY = IdempotencyKey(1, "key", b"digest")


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


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_memory_in_another_version_than_expected_stays(key: IdempotencyKey | None) -> None:
    world = World()
    memory = await world.remember("rain")
    with pytest.raises(PreconditionFailed):
        await forget(world.ports, 1, memory.id, None, frozenset({2}), key)
    assert await world.memories.get(1, memory.id) == memory
    assert world.meter.total("memory_operations", operation="delete") == 0
    # A refusal is not kept under a key.
    assert not await forget(world.ports, 1, memory.id, None, frozenset({1, 2}), key)
    assert world.meter.total("memory_operations", operation="delete") == 1


async def test_under_a_key_it_is_told_again_and_counted_once() -> None:
    world = World()
    memory = await world.remember("rain")
    told = [await forget(world.ports, 1, memory.id, "agent", key=KEY) for _ in range(3)]
    assert told == [False, True, True]
    assert world.meter.total("memory_operations", operation="delete") == 1


async def test_under_a_key_another_agents_memory_is_not_found_either() -> None:
    world = World()
    memory = await world.remember("rain")
    with pytest.raises(NotFound):
        await forget(world.ports, 1, memory.id, "stranger", key=KEY)
    assert await world.memories.get(1, memory.id) == memory
