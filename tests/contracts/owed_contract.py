"""What whoever keeps owed vectors does, while a change from model `old` to `new` is under way."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from serve_app.core.errors import ModelChanged
from serve_app.core.memory import Chunk
from serve_app.core.model_change import OwedMemory
from serve_app.operations.fill_vectors import OwedVectors
from tests.fakes.embedder import FakeEmbedder

OLD = FakeEmbedder("old", dimension=384)
NEW = FakeEmbedder("new", dimension=64, chunk_characters=10)

Write = Callable[[int, str, int], Awaitable[None]]
"""Stores the memory of a number, or gives it another content; the tenant is 1 or 2."""

Forget = Callable[[int, int], Awaitable[None]]
"""Deletes the memory of a number, of a tenant."""


def embed(memory: OwedMemory) -> tuple[OwedMemory, tuple[Chunk, ...]]:
    return memory, NEW.chunks(memory.content)


class OwedContract:
    """Needs the fixtures `owed`, where no memory is stored yet, `write` and `forget`."""

    async def test_nothing_is_owed_before_anything_is_written(self, owed: OwedVectors) -> None:
        assert await owed.other_model() == "new"
        assert await owed.read(None, 10) == []
        assert await owed.count() == 0

    async def test_owed_memories_are_read_by_tenant_and_id(
        self, owed: OwedVectors, write: Write
    ) -> None:
        for number, tenant_id in ((3, 2), (9, 1), (1, 2), (5, 1)):
            await write(number, f"text {number}", tenant_id)
        assert await owed.count() == 4
        everything = await owed.read(None, 10)
        keys = [(1, UUID(int=5)), (1, UUID(int=9)), (2, UUID(int=1)), (2, UUID(int=3))]
        assert [memory.key for memory in everything] == keys
        assert [memory.content for memory in everything[:2]] == ["text 5", "text 9"]
        assert await owed.read(everything[1], 1) == everything[2:3]
        assert await owed.read(everything[3], 1) == []

    async def test_what_is_stored_is_owed_no_more(self, owed: OwedVectors, write: Write) -> None:
        for number, tenant_id in ((1, 1), (2, 1), (3, 2)):
            await write(number, "a text of some chunks", tenant_id)
        first, second, third = await owed.read(None, 10)
        assert await owed.store("new", [embed(first), embed(third)]) == 2
        assert await owed.read(None, 10) == [second]
        assert await owed.store("new", [embed(first), embed(second)]) == 1
        assert await owed.count() == 0

    async def test_what_was_changed_meanwhile_stays_owed(
        self, owed: OwedVectors, write: Write
    ) -> None:
        await write(1, "before", 1)
        [before] = await owed.read(None, 10)
        await write(1, "after", 1)
        assert await owed.store("new", [embed(before)]) == 0
        [after] = await owed.read(None, 10)
        assert (after.key, after.content) == (before.key, "after")
        assert after.content_hash != before.content_hash
        assert await owed.store("new", [embed(after)]) == 1

    async def test_what_was_forgotten_is_owed_nothing(
        self, owed: OwedVectors, write: Write, forget: Forget
    ) -> None:
        await write(1, "rain", 1)
        [memory] = await owed.read(None, 10)
        await forget(1, 1)
        assert await owed.count() == 0
        assert await owed.store("new", [embed(memory)]) == 0

    async def test_vectors_of_a_model_that_is_not_stored_are_refused(
        self, owed: OwedVectors, write: Write
    ) -> None:
        await write(1, "rain", 1)
        [memory] = await owed.read(None, 10)
        with pytest.raises(ModelChanged):
            await owed.store("third", [embed(memory)])
        assert await owed.read(None, 10) == [memory]

    async def test_after_a_switch_the_former_model_is_owed(
        self, owed: OwedVectors, write: Write
    ) -> None:
        async with owed.standstill():
            await owed.switch("new")
        assert await owed.other_model() == "old"
        await write(1, "rain", 1)
        assert [memory.content for memory in await owed.read(None, 10)] == ["rain"]
        async with owed.standstill():
            await owed.switch("new")
        assert await owed.other_model() == "old"
