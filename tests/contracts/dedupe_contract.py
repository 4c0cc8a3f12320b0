"""What dedupe means to every ports.Memories and ports.OnceOnly; see their contracts."""

from dataclasses import replace

from serve_app.core.errors import AnswerForgotten
from serve_app.core.memory import Kind, Memory, MemoryChanges, Scope, Status
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.ports import Memories, OnceOnly
from tests.contracts.samples import EMBEDDER, OTHER_USER, SCOPE, START, embed, sample, store

KEY = IdempotencyKey(1, "dedupe", b"digest")


async def store_once(memories: Memories, *samples: Memory) -> list[Memory]:
    """Store each unless it is there."""
    outcomes = await memories.add([replace(embed(each), dedupe=True) for each in samples])
    stored = [outcome for outcome in outcomes if isinstance(outcome, Memory)]
    assert len(stored) == len(samples)
    return stored


class DedupeContract:
    async def test_what_is_there_stands_for_what_says_the_same(self, memories: Memories) -> None:
        [first] = await store_once(memories, sample("It rains again.", session_id="morning"))
        other = sample("It rains again.", importance=0.9, session_id="evening")
        assert await store_once(memories, other) == [first]
        assert await memories.count(SCOPE) == 1

    async def test_what_was_stored_plainly_counts_and_the_oldest_stands(
        self, memories: Memories
    ) -> None:
        first, _ = await store(memories, [sample("rain"), sample("rain")])
        assert await store_once(memories, sample("rain")) == [first]
        await store(memories, [sample("rain")])
        assert await memories.count(SCOPE) == 3

    async def test_another_scope_kind_or_content_is_another(self, memories: Memories) -> None:
        samples = [
            sample("The train came."),
            sample("The train came.", OTHER_USER),
            sample("The train came.", Scope(1, "other", "user")),
            sample("The train came.", kind=Kind.SEMANTIC),
            sample("the train came."),
            sample("The trains came."),
            sample("The train came. "),
            sample("train"),
        ]
        for each in samples:
            assert await store_once(memories, each) == [each]

    async def test_any_text_is_found_again(self, memories: Memories) -> None:
        texts = ["of the", "?!", "😀", "漢字", "a " * 4000, "x" * 8000, " ", "\\ % _ '"]
        first = await store_once(memories, *map(sample, texts))
        assert await store_once(memories, *map(sample, texts)) == first
        assert await memories.count(SCOPE) == len(texts)

    async def test_of_a_list_each_content_is_stored_once(self, memories: Memories) -> None:
        sun, rain, again, other = sample("sun"), sample("rain"), sample("rain"), sample("sun")
        asked = [embed(sun), *(replace(embed(m), dedupe=True) for m in (rain, again, other))]
        assert await memories.add(asked) == [sun, rain, rain, sun]
        plain = embed(sample("rain"))
        assert await memories.add([replace(embed(again), dedupe=True), plain]) == [
            rain,
            plain.memory,
        ]

    async def test_adding_it_again_is_no_duplicate_of_itself(self, memories: Memories) -> None:
        memory = sample("rain")
        assert await store_once(memories, memory) == [memory]
        assert await store_once(memories, memory) == [memory]

    async def test_what_is_archived_or_forgotten_or_changed_stands_for_nothing(
        self, memories: Memories
    ) -> None:
        kept, gone, changed = await store(memories, [sample("a"), sample("b"), sample("c")])
        later = START.replace(year=2028)
        archived = MemoryChanges(status=Status.ARCHIVED)
        await memories.revise(kept, archived, later, None)
        await memories.forget(1, gone.id, None)
        after = await memories.revise(changed, MemoryChanges("d"), later, EMBEDDER.chunks("d"))
        again = [sample("a"), sample("b"), sample("c")]
        assert await store_once(memories, *again) == again
        assert await store_once(memories, sample("d")) == [after]


class DedupeOnceContract:
    async def test_what_stood_for_it_is_told_again(
        self, memories: Memories, once: OnceOnly
    ) -> None:
        [rain] = await store(memories, [sample("rain")])
        sun = sample("sun")
        asked = {
            place: replace(embed(memory), dedupe=True)
            for place, memory in enumerate([sample("rain"), sun, sample("sun")])
        }
        outcomes = await once.add(KEY, asked, 3)
        assert outcomes == [
            Written(rain, was_there=True),
            Written(sun),
            Written(sun, was_there=True),
        ]
        told = [
            Written(rain, is_replayed=True, was_there=True),
            Written(sun, is_replayed=True),
            Written(sun, is_replayed=True, was_there=True),
        ]
        assert await once.recall(KEY) == told
        assert await once.add(KEY, asked, 3) == told
        assert await memories.count(SCOPE) == 2

    async def test_what_stood_for_it_may_be_forgotten(
        self, memories: Memories, once: OnceOnly
    ) -> None:
        [rain] = await store(memories, [sample("rain")])
        asked = {0: replace(embed(sample("rain")), dedupe=True)}
        await once.add(KEY, asked, 1)
        await memories.forget(1, rain.id, None)
        [outcome] = await once.add(KEY, asked, 1)
        assert isinstance(outcome, AnswerForgotten)
        assert await memories.count(SCOPE) == 0
