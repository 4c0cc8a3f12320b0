"""What a verb does under an idempotency key."""

import asyncio
from dataclasses import replace

import pytest

from serve_app.core.errors import (
    AnswerForgotten,
    DatabaseUnavailable,
    EmbeddingUnavailable,
    KeyReused,
    StillRunning,
)
from serve_app.core.memory import MemoryDraft
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.forget import forget
from serve_app.operations.once import recall_one
from serve_app.operations.remember import remember, remember_many
from tests.fakes.world import SCOPE, World

KEY = IdempotencyKey(1, "key", b"digest")
RAIN = MemoryDraft(SCOPE, "rain")


@pytest.fixture
def world() -> World:
    return World()


async def test_a_second_request_embeds_and_stores_nothing(world: World) -> None:
    first = await remember(world.ports, RAIN, KEY)
    world.embedder.down = True
    assert await remember(world.ports, RAIN, KEY) == Written(first.memory, is_replayed=True)
    assert await world.memories.count(SCOPE) == 1
    assert world.meter.total("memory_operations", operation="create") == 1


async def test_a_failure_is_not_kept(world: World) -> None:
    world.embedder.down = True
    with pytest.raises(EmbeddingUnavailable):
        await remember(world.ports, RAIN, KEY)
    world.embedder.down = False
    world.memories.down = True
    with pytest.raises(DatabaseUnavailable):
        await remember(world.ports, RAIN, KEY)
    world.memories.down = False
    assert not (await remember(world.ports, RAIN, KEY)).is_replayed


async def test_a_batch_makes_up_for_what_failed_and_no_more(world: World) -> None:
    world.embedder.refused.add("sun")
    drafts = [RAIN, MemoryDraft(SCOPE, "sun"), MemoryDraft(SCOPE, "\x00")]
    [rain, sun, bad] = await remember_many(world.ports, drafts, KEY)
    assert isinstance(rain, Written)
    assert isinstance(sun, EmbeddingUnavailable)
    world.embedder.refused.clear()
    [again, sun, still_bad] = await remember_many(world.ports, drafts, KEY)
    assert again == Written(rain.memory, is_replayed=True)
    assert isinstance(sun, Written)
    assert not sun.is_replayed
    assert type(still_bad) is type(bad)
    assert await world.memories.count(SCOPE) == 2
    assert world.meter.total("memory_operations", operation="create") == 2


async def test_a_batch_of_another_size_is_another_request(world: World) -> None:
    await remember_many(world.ports, [RAIN], KEY)
    with pytest.raises(KeyReused):
        await remember_many(world.ports, [RAIN, RAIN], KEY)


async def test_while_one_runs_the_others_wait_outside(world: World) -> None:
    async def send_again() -> None:
        world.embedder.interrupt = None
        with pytest.raises(StillRunning):
            await remember(world.ports, RAIN, KEY)
        with pytest.raises(KeyReused):
            await remember(world.ports, RAIN, replace(KEY, digest=b"other"))
        await remember(world.ports, RAIN, replace(KEY, tenant_id=2))

    world.embedder.interrupt = send_again
    await remember(world.ports, RAIN, KEY)
    assert (await remember(world.ports, RAIN, KEY)).is_replayed


async def test_twenty_at_once_make_one(world: World) -> None:
    outcomes = await asyncio.gather(
        *(remember(world.ports, RAIN, KEY) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Written) for outcome in outcomes) >= 1
    assert await world.memories.count(SCOPE) == 1


async def test_who_tells_again_keeps_nobody_from_it(world: World) -> None:
    first = await remember(world.ports, RAIN, KEY)
    with world.ports.running.hold(KEY):
        assert await remember(world.ports, RAIN, KEY) == Written(first.memory, is_replayed=True)


async def test_of_a_batch_that_is_made_up_for_nobody_tells_a_part(world: World) -> None:
    world.embedder.refused.add("sun")
    drafts = [RAIN, MemoryDraft(SCOPE, "sun")]
    await remember_many(world.ports, drafts, KEY)
    with world.ports.running.hold(KEY), pytest.raises(StillRunning):
        await remember_many(world.ports, drafts, KEY)


async def test_who_works_elsewhere_is_found_in_storage(world: World) -> None:
    world.once.running.add("key")
    with pytest.raises(StillRunning):
        await remember(world.ports, RAIN, KEY)
    world.once.running.clear()
    assert not (await remember(world.ports, RAIN, KEY)).is_replayed


async def test_what_was_written_and_forgotten_is_not_written_again(world: World) -> None:
    written = await remember(world.ports, RAIN, KEY)
    await forget(world.ports, 1, written.memory.id, None)
    with pytest.raises(AnswerForgotten):
        await remember(world.ports, RAIN, KEY)
    assert await world.memories.count(SCOPE) == 0


async def test_the_one_memory_of_a_key_is_told_until_it_is_gone(world: World) -> None:
    assert await recall_one(world.ports, KEY) is None
    written = await remember(world.ports, RAIN, KEY)
    assert await recall_one(world.ports, KEY) == Written(written.memory, is_replayed=True)
    with pytest.raises(KeyReused):
        await recall_one(world.ports, replace(KEY, digest=b"other"))
    await forget(world.ports, 1, written.memory.id, None)
    with pytest.raises(AnswerForgotten):
        await recall_one(world.ports, KEY)


async def test_a_memory_is_forgotten_once(world: World) -> None:
    memory = await world.remember("rain")
    assert await forget(world.ports, 1, memory.id, "agent", None, KEY) is False
    assert await forget(world.ports, 1, memory.id, "agent", None, KEY) is True
    assert world.meter.total("memory_operations", operation="delete") == 1
