from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.errors import NotFound
from serve_app.core.identity import uuid7
from serve_app.core.memory import MemoryChanges, Scope
from serve_app.core.page import MemoryFilter
from serve_app.operations.read import count, get, page, page_versions
from serve_app.operations.revise import revise
from tests.fakes.world import SCOPE, World


async def test_get_gives_the_memory_of_the_tenant_only() -> None:
    world = World()
    memory = await world.remember("rain")
    assert await get(world.ports, 1, memory.id) == memory
    with pytest.raises(NotFound):
        await get(world.ports, 2, memory.id)


async def test_what_a_memory_was_is_told_from_the_newest_on() -> None:
    world = World()
    memory = await world.remember("rain")
    for content in ("sun", "snow"):
        await revise(world.ports, 1, memory.id, MemoryChanges(content=content))
    all_three = await page_versions(world.ports, 1, memory.id, 9, None)
    assert [one.content for one in all_three] == ["snow", "sun", "rain"]
    assert await page_versions(world.ports, 1, memory.id, 1, None) == all_three[:1]
    assert await page_versions(world.ports, 1, memory.id, 1, 3) == all_three[1:2]


async def test_below_the_first_version_there_is_nothing_and_without_a_memory_no_history() -> None:
    world = World()
    memory = await world.remember("rain")
    assert await page_versions(world.ports, 1, memory.id, 9, 1) == []
    for tenant_id, memory_id in ((2, memory.id), (1, UUID(int=1))):
        for before in (None, 1, 7):
            with pytest.raises(NotFound, match=str(memory_id)):
                await page_versions(world.ports, tenant_id, memory_id, 9, before)


async def test_count_counts_one_scope() -> None:
    world = World()
    await world.remember("rain")
    await world.remember("sun", Scope(1, "agent", "other"))
    assert await count(world.ports, SCOPE) == 1
    assert await count(world.ports, Scope(1, "nobody", "nowhere")) == 0


@given(st.integers(0, 12), st.integers(1, 5), st.integers(0, 13))
async def test_a_walk_meets_everything_once_whatever_is_written_meanwhile(
    size: int, limit: int, write_after: int
) -> None:
    world = World()
    there = [(await world.remember(str(n))).id for n in range(size)]
    walked: list[UUID] = []
    after: UUID | None = uuid7(world.now, b"\xff" * 10)
    while after is not None:
        found = await page(world.ports, MemoryFilter(1), limit, after)
        walked.extend(memory.id for memory in found.memories)
        after = found.next_after
        if len(walked) >= write_after:
            await world.remember("written while somebody reads")
    assert walked == there[::-1]
