from uuid import UUID

import numpy as np
import pytest

from serve_app.core.errors import (
    Conflict,
    EmbeddingUnavailable,
    InvalidInput,
    NotFound,
    PreconditionFailed,
)
from serve_app.core.memory import MemoryChanges
from serve_app.operations.revise import revise
from tests.fakes.world import World


async def test_a_new_content_is_embedded_anew() -> None:
    world = World()
    memory = await world.remember("rain")
    after = (await revise(world.ports, 1, memory.id, MemoryChanges(content="sun"))).memory
    assert (after.content, after.updated_at) == ("sun", world.now)
    [chunk] = world.memories.rows[memory.id].chunks
    assert np.array_equal(chunk.vector, world.embedder.vector("sun"))
    assert world.meter.total("memory_operations", operation="update") == 1


@pytest.mark.parametrize("changes", [MemoryChanges(importance=0.9), MemoryChanges(content="rain")])
async def test_the_same_content_is_not_embedded(changes: MemoryChanges) -> None:
    world = World()
    memory = await world.remember("rain")
    world.embedder.down = True
    after = (await revise(world.ports, 1, memory.id, changes)).memory
    assert after.content == "rain"


async def test_no_changes_change_nothing() -> None:
    world = World()
    memory = await world.remember("rain")
    assert (await revise(world.ports, 1, memory.id, MemoryChanges())).memory == memory
    assert world.meter.total("memory_operations", operation="update") == 0


async def test_an_unknown_memory_is_not_found() -> None:
    with pytest.raises(NotFound):
        await revise(World().ports, 1, UUID(int=1), MemoryChanges(content="x"))


async def test_what_cannot_be_stored_is_refused() -> None:
    world = World()
    memory = await world.remember("rain")
    with pytest.raises(InvalidInput):
        await revise(world.ports, 1, memory.id, MemoryChanges(content="\x00"))


async def test_without_a_vector_nothing_changes() -> None:
    world = World()
    memory = await world.remember("rain")
    world.embedder.refused.add("sun")
    with pytest.raises(EmbeddingUnavailable):
        await revise(world.ports, 1, memory.id, MemoryChanges(content="sun"))
    assert await world.memories.get(1, memory.id) == memory


async def test_a_change_meanwhile_conflicts() -> None:
    world = World()
    memory = await world.remember("rain")

    async def somebody_else() -> None:
        world.memories.change(memory.id, importance=0.1)

    world.embedder.interrupt = somebody_else
    with pytest.raises(Conflict):
        await revise(world.ports, 1, memory.id, MemoryChanges(content="sun"))
    assert (await world.memories.get(1, memory.id)).content == "rain"


async def test_only_an_expected_version_is_changed() -> None:
    world = World()
    memory = await world.remember("rain")
    with pytest.raises(PreconditionFailed):
        await revise(world.ports, 1, memory.id, MemoryChanges(content="sun"), frozenset({2}))
    assert await world.memories.get(1, memory.id) == memory
    after = (
        await revise(world.ports, 1, memory.id, MemoryChanges(content="sun"), frozenset({1}))
    ).memory
    assert after.version == 2


async def test_a_change_meanwhile_is_no_expected_version() -> None:
    world = World()
    memory = await world.remember("rain")

    async def somebody_else() -> None:
        world.memories.change(memory.id, importance=0.1)

    world.embedder.interrupt = somebody_else
    with pytest.raises(PreconditionFailed):
        await revise(world.ports, 1, memory.id, MemoryChanges(content="sun"), frozenset({1}))
