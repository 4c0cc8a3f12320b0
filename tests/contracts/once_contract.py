"""What every ports.OnceOnly does; a subclass gives the fixtures `memories` and `once`, empty."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from serve_app.core.errors import (
    AnswerForgotten,
    Conflict,
    KeyReused,
    NotFound,
    PreconditionFailed,
)
from serve_app.core.memory import Memory, MemoryChanges
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.ports import Memories, OnceOnly
from tests.contracts.samples import EMBEDDER, SCOPE, START, embed, sample, store

KEY = IdempotencyKey(1, "key", b"digest")
LATER = START + timedelta(days=400)


async def add_one(once: OnceOnly, memory: Memory, key: IdempotencyKey = KEY) -> Written:
    [outcome] = await once.add(key, {0: embed(memory)}, 1)
    assert isinstance(outcome, Written)
    return outcome


class OnceContract:
    async def test_a_new_key_has_nothing(self, once: OnceOnly) -> None:
        assert await once.recall(KEY) is None

    async def test_what_was_added_is_not_added_again(
        self, memories: Memories, once: OnceOnly
    ) -> None:
        first = await add_one(once, sample())
        assert not first.is_replayed
        again = await add_one(once, sample())
        assert again == Written(first.memory, is_replayed=True)
        assert await once.recall(KEY) == [again]
        assert await memories.count(SCOPE) == 1

    async def test_a_part_that_failed_is_made_up_for(
        self, memories: Memories, once: OnceOnly
    ) -> None:
        first, third, new = sample("first"), sample("third"), sample("second")
        outcomes = await once.add(KEY, {0: embed(first), 2: embed(third)}, 3)
        assert outcomes == [Written(first), None, Written(third)]
        assert await once.recall(KEY) == [Written(first, True), None, Written(third, True)]
        # A place that is filled stays as it is.
        outcomes = await once.add(KEY, {0: embed(sample()), 1: embed(new)}, 3)
        assert outcomes == [Written(first, True), Written(new), Written(third, True)]
        assert await once.recall(KEY) == [Written(m, True) for m in (first, new, third)]
        assert await memories.count(SCOPE) == 3

    async def test_another_request_is_refused(self, memories: Memories, once: OnceOnly) -> None:
        memory = (await add_one(once, sample())).memory
        other = replace(KEY, digest=b"other")
        with pytest.raises(KeyReused):
            await once.recall(other)
        with pytest.raises(KeyReused):
            await once.add(other, {0: embed(sample())}, 1)
        with pytest.raises(KeyReused):
            await once.revise(other, memory, MemoryChanges(importance=0.9), LATER, None)
        with pytest.raises(KeyReused):
            await once.forget(other, memory.id, None)
        assert await memories.get(1, memory.id) == memory
        assert await memories.count(SCOPE) == 1

    async def test_keys_are_their_tenants(self, once: OnceOnly) -> None:
        await add_one(once, sample())
        assert await once.recall(replace(KEY, tenant_id=2, digest=b"other")) is None

    async def test_a_change_is_made_once_and_told_as_it_was(
        self, memories: Memories, once: OnceOnly
    ) -> None:
        [memory] = await store(memories, [sample("rain")])
        chunks = EMBEDDER.chunks("sun")
        first = await once.revise(KEY, memory, MemoryChanges("sun"), LATER, chunks)
        assert (first.memory.content, first.is_replayed) == ("sun", False)
        after = await memories.revise(
            first.memory, MemoryChanges("snow"), LATER, EMBEDDER.chunks("snow")
        )
        again = await once.revise(KEY, memory, MemoryChanges("sun"), LATER, chunks)
        assert again == Written(first.memory, is_replayed=True)
        assert await once.recall(KEY) == [again]
        assert await memories.get(1, memory.id) == after

    async def test_a_change_that_failed_is_not_kept(
        self, memories: Memories, once: OnceOnly
    ) -> None:
        [memory] = await store(memories, [sample()])
        after = await memories.revise(memory, MemoryChanges(importance=0.9), LATER, None)
        with pytest.raises(Conflict):
            await once.revise(KEY, memory, MemoryChanges(importance=0.8), LATER, None)
        assert await once.recall(KEY) is None
        written = await once.revise(KEY, after, MemoryChanges(importance=0.8), LATER, None)
        assert written.memory.importance == 0.8

    async def test_a_memory_is_forgotten_once(self, memories: Memories, once: OnceOnly) -> None:
        [memory] = await store(memories, [sample()])
        with pytest.raises(PreconditionFailed):
            await once.forget(KEY, memory.id, "agent", frozenset({2}))
        with pytest.raises(NotFound):
            await once.forget(KEY, memory.id, "other")
        assert await once.forget(KEY, memory.id, "agent", frozenset({1})) is False
        assert await once.forget(KEY, memory.id, "agent", frozenset({1})) is True
        with pytest.raises(NotFound):
            await once.forget(replace(KEY, key="another"), memory.id, "agent")

    async def test_what_is_forgotten_is_in_no_kept_answer(
        self, memories: Memories, once: OnceOnly
    ) -> None:
        gone = (await add_one(once, sample("secret"))).memory
        await memories.forget(1, gone.id, None)
        for outcomes in (await once.recall(KEY), await once.add(KEY, {0: embed(sample())}, 1)):
            assert outcomes is not None
            [outcome] = outcomes
            assert isinstance(outcome, AnswerForgotten)
        assert await memories.count(SCOPE) == 0

    async def test_a_place_whose_memory_is_forgotten_is_not_filled_again(
        self, memories: Memories, once: OnceOnly
    ) -> None:
        gone, new = sample("secret"), sample("new")
        await once.add(KEY, {0: embed(gone)}, 2)
        await memories.forget(1, gone.id, None)
        [first, second] = await once.add(KEY, {0: embed(sample()), 1: embed(new)}, 2)
        assert isinstance(first, AnswerForgotten)
        assert second == Written(new)
        assert await once.recall(KEY) is not None
        [first, _] = await once.add(KEY, {0: embed(sample())}, 2)
        assert isinstance(first, AnswerForgotten)

    async def test_an_unknown_memory_is_not_found_and_not_kept(self, once: OnceOnly) -> None:
        with pytest.raises(NotFound):
            await once.forget(KEY, UUID(int=1), None)
        assert await once.recall(KEY) is None
