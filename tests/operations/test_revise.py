from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from serve_app.core.errors import (
    Conflict,
    EmbeddingUnavailable,
    InvalidInput,
    KeyReused,
    NotFound,
    PreconditionFailed,
    StillRunning,
)
from serve_app.core.memory import MemoryChanges
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.revise import revise
from tests.fakes.world import SCOPE, World

KEY = IdempotencyKey(1, "key", b"digest")
SUN = MemoryChanges(content="sun")


async def test_a_new_content_is_embedded_anew() -> None:
    world = World()
    memory = await world.remember("rain")
    after = (await revise(world.ports, 1, memory.id, SUN)).memory
    assert (after.content, after.updated_at) == ("sun", world.now)
    [chunk] = world.memories.rows[memory.id].chunks
    assert np.array_equal(chunk.vector, world.embedder.vector("sun"))
    assert world.embedder.tenants == [SCOPE.tenant_id] * 2
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
    with pytest.raises(InvalidInput) as refusal:
        await revise(world.ports, 1, memory.id, MemoryChanges(content="\x00"))
    assert refusal.value.field == "content"


async def test_without_a_vector_nothing_changes() -> None:
    world = World()
    memory = await world.remember("rain")
    world.embedder.refused.add("sun")
    with pytest.raises(EmbeddingUnavailable):
        await revise(world.ports, 1, memory.id, SUN)
    assert await world.memories.get(1, memory.id) == memory


async def test_a_change_meanwhile_conflicts() -> None:
    world = World()
    memory = await world.remember("rain")

    async def somebody_else() -> None:
        world.memories.change(memory.id, importance=0.1)

    world.embedder.interrupt = somebody_else
    with pytest.raises(Conflict):
        await revise(world.ports, 1, memory.id, SUN)
    assert (await world.memories.get(1, memory.id)).content == "rain"


async def test_only_an_expected_version_is_changed() -> None:
    world = World()
    memory = await world.remember("rain")
    with pytest.raises(PreconditionFailed):
        await revise(world.ports, 1, memory.id, SUN, frozenset({2}))
    assert await world.memories.get(1, memory.id) == memory
    after = (await revise(world.ports, 1, memory.id, SUN, frozenset({1}))).memory
    assert after.version == 2


async def test_a_change_meanwhile_is_no_expected_version() -> None:
    world = World()
    memory = await world.remember("rain")

    async def somebody_else() -> None:
        world.memories.change(memory.id, importance=0.1)

    world.embedder.interrupt = somebody_else
    with pytest.raises(PreconditionFailed):
        await revise(world.ports, 1, memory.id, SUN, frozenset({1}))


async def test_a_change_is_made_once_whatever_is_expected() -> None:
    world = World()
    memory = await world.remember("rain")
    first = await revise(world.ports, 1, memory.id, SUN, frozenset({1}), KEY)
    assert (first.memory.content, first.memory.updated_at) == ("sun", world.now)
    again = await revise(world.ports, 1, memory.id, SUN, frozenset({1}), KEY)
    assert again == Written(first.memory, is_replayed=True)
    with pytest.raises(PreconditionFailed):
        await revise(world.ports, 1, memory.id, SUN, frozenset({1}), replace(KEY, key="new"))
    assert world.meter.total("memory_operations", operation="update") == 1


async def test_who_tells_again_keeps_nobody_from_it() -> None:
    world = World()
    memory = await world.remember("rain")
    with world.ports.running.hold(KEY), pytest.raises(StillRunning):
        await revise(world.ports, 1, memory.id, SUN, key=KEY)
    assert await world.memories.get(1, memory.id) == memory
    first = await revise(world.ports, 1, memory.id, SUN, key=KEY)
    with world.ports.running.hold(KEY):
        again = await revise(world.ports, 1, memory.id, SUN, key=KEY)
    assert again == Written(first.memory, is_replayed=True)


async def test_while_one_runs_the_others_wait_outside() -> None:
    world = World()
    memory = await world.remember("rain")

    async def send_again() -> None:
        world.embedder.interrupt = None
        with pytest.raises(StillRunning):
            await revise(world.ports, 1, memory.id, SUN, key=KEY)
        with pytest.raises(KeyReused):
            await revise(world.ports, 1, memory.id, SUN, key=replace(KEY, digest=b"other"))

    world.embedder.interrupt = send_again
    assert not (await revise(world.ports, 1, memory.id, SUN, key=KEY)).is_replayed
    assert (await world.memories.get(1, memory.id)).version == 2


async def test_what_failed_under_a_key_is_not_kept() -> None:
    world = World()
    memory = await world.remember("rain")

    async def somebody_else() -> None:
        world.embedder.interrupt = None
        world.memories.change(memory.id, importance=0.1)

    world.embedder.interrupt = somebody_else
    with pytest.raises(Conflict):
        await revise(world.ports, 1, memory.id, SUN, key=KEY)
    assert world.meter.total("memory_operations", operation="update") == 0
    done = await revise(world.ports, 1, memory.id, SUN, key=KEY)
    assert (done.memory.version, done.is_replayed) == (3, False)
