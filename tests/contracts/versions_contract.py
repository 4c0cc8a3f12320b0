"""What every ports.Memories does about versions; a part of its contract."""

from datetime import timedelta
from uuid import UUID

import pytest

from serve_app.core.errors import NotFound, PreconditionFailed
from serve_app.core.memory import Kind, MemoryChanges, Status
from serve_app.operations.ports import Memories
from tests.contracts.samples import EMBEDDER, sample, store

HOUR = timedelta(hours=1)


class VersionsContract:
    async def test_a_new_memory_has_one_version(self, memories: Memories) -> None:
        [memory] = await store(memories, [sample("rain")])
        [only] = await memories.page_versions(1, memory.id, 10, None)
        assert (only.version, only.content, only.kind) == (1, "rain", Kind.EPISODIC)
        assert (only.valid_from, only.valid_to) == (memory.created_at, None)

    async def test_every_change_leaves_what_was_there_before(self, memories: Memories) -> None:
        [first] = await store(memories, [sample("rain", importance=0.1)])
        then = first.created_at
        second = await memories.revise(
            first, MemoryChanges("sun"), then + HOUR, EMBEDDER.chunks("sun")
        )
        third = await memories.revise(
            second, MemoryChanges(importance=0.9, kind=Kind.SEMANTIC), then + 2 * HOUR, None
        )
        last = await memories.revise(
            third,
            MemoryChanges("snow", status=Status.ARCHIVED),
            then + 3 * HOUR,
            EMBEDDER.chunks("snow"),
        )
        assert [m.version for m in (first, second, third, last)] == [1, 2, 3, 4]
        versions = await memories.page_versions(1, first.id, 10, None)
        assert [(v.version, v.content, v.importance, v.kind, v.status) for v in versions] == [
            (4, "snow", 0.9, Kind.SEMANTIC, Status.ARCHIVED),
            (3, "sun", 0.9, Kind.SEMANTIC, Status.ACTIVE),
            (2, "sun", 0.1, Kind.EPISODIC, Status.ACTIVE),
            (1, "rain", 0.1, Kind.EPISODIC, Status.ACTIVE),
        ]
        assert [v.valid_from for v in versions] == [then + n * HOUR for n in (3, 2, 1, 0)]
        assert [v.valid_to for v in versions] == [None, *(then + n * HOUR for n in (3, 2, 1))]

    async def test_a_page_of_versions_goes_on_below_the_last(self, memories: Memories) -> None:
        [memory] = await store(memories, [sample()])
        for step in range(1, 5):
            changes = MemoryChanges(importance=step / 10)
            memory = await memories.revise(memory, changes, memory.updated_at + HOUR, None)
        page = await memories.page_versions(1, memory.id, 2, None)
        assert [version.version for version in page] == [5, 4]
        page = await memories.page_versions(1, memory.id, 2, 4)
        assert [version.version for version in page] == [3, 2]
        assert await memories.page_versions(1, memory.id, 2, 1) == []

    async def test_versions_are_their_tenants(self, memories: Memories) -> None:
        [memory] = await store(memories, [sample()])
        assert await memories.page_versions(2, memory.id, 10, None) == []
        assert await memories.page_versions(1, UUID(int=1), 10, None) == []

    async def test_what_is_forgotten_has_no_versions(self, memories: Memories) -> None:
        [memory] = await store(memories, [sample("secret")])
        later = memory.created_at + HOUR
        await memories.revise(memory, MemoryChanges("public"), later, EMBEDDER.chunks("public"))
        await memories.forget(1, memory.id, None)
        assert await memories.page_versions(1, memory.id, 10, None) == []
        # Not even when the id comes back.
        await store(memories, [memory])
        [only] = await memories.page_versions(1, memory.id, 10, None)
        assert only.version == 1

    async def test_only_an_expected_version_is_forgotten(self, memories: Memories) -> None:
        [memory] = await store(memories, [sample()])
        later = memory.created_at + HOUR
        await memories.revise(memory, MemoryChanges(importance=0.9), later, None)
        for wrong in (frozenset({1}), frozenset[int]()):
            with pytest.raises(PreconditionFailed):
                await memories.forget(1, memory.id, "agent", wrong)
        await memories.forget(1, memory.id, "agent", frozenset({7, 2}))
        with pytest.raises(NotFound):
            await memories.get(1, memory.id)

    async def test_an_unknown_memory_is_not_found_whatever_is_expected(
        self, memories: Memories
    ) -> None:
        with pytest.raises(NotFound):
            await memories.forget(1, UUID(int=1), None, frozenset({1}))
