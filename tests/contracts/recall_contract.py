"""What every ports.Memories does with fused searches; a subclass gives `memories`, empty."""

from dataclasses import replace
from datetime import timedelta

import pytest

from serve_app.core.memory import Kind, MemoryChanges, Scope, Status
from serve_app.core.profiles import PROFILES, FusionWeights
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import FusedSearch, QuestionTime, VectorSearch
from serve_app.operations.ports import Memories
from tests.contracts.samples import EMBEDDER, OTHER_USER, SCOPE, START, sample, store

LATER = START + timedelta(days=400)
WORDS_ONLY = FusionWeights(words=1.0)
NOTHING_ELSE = RankingPolicy(0.0, 0.0, 0.0)


def fused(text: str, weights: FusionWeights = WORDS_ONLY, **fields: object) -> FusedSearch:
    """A search by `weights` alone; `fields` are those of the nearest, and `time`."""
    time = fields.pop("time", QuestionTime())
    nearest = VectorSearch(SCOPE, EMBEDDER.vector(text), 10, NOTHING_ELSE, LATER)
    nearest = replace(nearest, **fields)
    return FusedSearch(nearest, text, weights, time)


class RecallContract:
    async def test_the_rarer_word_wins_in_its_scope(self, memories: Memories) -> None:
        rare = sample("The quokka rested.")
        common = [sample(f"A train came to platform {n}.") for n in range(8)]
        strangers = [sample("quokka", OTHER_USER) for _ in range(30)]
        await store(memories, [*common[:4], rare, *common[4:], *strangers])
        hits = await memories.recall(fused("quokka train"))
        assert hits[0].memory == rare
        assert hits[0].signals is not None
        assert hits[0].signals.words == pytest.approx(1.0)
        assert len(hits) == 9
        assert all(0 < hit.signals.words < 1 for hit in hits[1:] if hit.signals)

    async def test_every_memory_that_matches_is_proposed_to_fill_top_k(
        self, memories: Memories
    ) -> None:
        await store(memories, [sample(f"nothing {n}") for n in range(7)])
        assert len(await memories.recall(fused("quokka"))) == 7
        assert len(await memories.recall(fused("quokka", top_k=3))) == 3
        assert len(await memories.recall(fused(""))) == 7

    async def test_an_empty_or_unknown_scope_recalls_nothing(self, memories: Memories) -> None:
        assert await memories.recall(fused("x")) == []
        assert await memories.recall(fused("x", scope=Scope(2, "agent", "user"))) == []

    async def test_words_follow_the_content_and_the_status(self, memories: Memories) -> None:
        old, archived, gone, kept = await store(
            memories, [sample("quokka"), sample("quokka"), sample("quokka"), sample("platypus")]
        )
        await memories.revise(old, MemoryChanges(content="emu"), LATER, EMBEDDER.chunks("emu"))
        await memories.revise(archived, MemoryChanges(status=Status.ARCHIVED), LATER, None)
        await memories.forget(1, gone.id, None)
        hits = await memories.recall(fused("quokka"))
        assert {hit.memory.id for hit in hits} == {old.id, kept.id}
        assert all(hit.signals is not None and hit.signals.words == 0 for hit in hits)
        [best, other] = await memories.recall(fused("emu"))
        assert (best.memory.content, other.memory) == ("emu", kept)
        assert best.signals is not None
        assert best.signals.words == 1

    async def test_a_kind_is_kept_to(self, memories: Memories) -> None:
        fact = sample("quokka fact", kind=Kind.SEMANTIC)
        await store(memories, [sample("quokka"), fact, sample("quokka")])
        [hit] = await memories.recall(fused("quokka", kind=Kind.SEMANTIC))
        assert hit.memory == fact

    async def test_a_neighbour_is_found_beside_what_was_asked(self, memories: Memories) -> None:
        line = [sample(f"filler {n}") for n in range(300)]
        line[100] = replace(line[100], content="quokka")
        await store(memories, line)
        weights = FusionWeights(words=1.0, neighbour=0.4, far_neighbour=0.2)
        hits = await memories.recall(fused("quokka", weights, top_k=5))
        assert hits[0].memory == line[100]
        assert {hit.memory.id for hit in hits[1:3]} == {line[99].id, line[101].id}
        assert {hit.memory.id for hit in hits[3:]} == {line[98].id, line[102].id}
        assert [hit.score for hit in hits] == pytest.approx([1.0, 0.4, 0.4, 0.2, 0.2])

    async def test_another_session_is_no_neighbour(self, memories: Memories) -> None:
        talk = [sample(f"word {n}", session_id=f"s{n % 2}") for n in range(8)]
        talk[4] = replace(talk[4], content="quokka")
        await store(memories, talk)
        weights = FusionWeights(words=1.0, neighbour=0.5)
        hits = await memories.recall(fused("quokka", weights, top_k=3))
        assert {hit.memory.id for hit in hits} == {talk[2].id, talk[4].id, talk[6].id}
        assert all(hit.score > 0 for hit in hits)
        both = await memories.recall(fused("quokka", FusionWeights(words=1.0, session=0.5)))
        assert {hit.memory.session_id for hit in both[:4]} == {"s0"}

    async def test_dates_and_time_words_are_asked_of_memories(self, memories: Memories) -> None:
        old = sample("She came yesterday.", occurred_at=START)
        new = sample("She came.", occurred_at=START + timedelta(days=30))
        await store(memories, [old, new])
        moment = new.occurred_at.timestamp()
        time = QuestionTime(((moment - 1, moment + 1),), ("yesterday", "monday"))
        dated = await memories.recall(fused("x", FusionWeights(date=1.0), time=time))
        assert [(hit.memory, hit.score) for hit in dated] == [(new, 1.0), (old, 0.0)]
        told = await memories.recall(fused("x", FusionWeights(time_words=1.0), time=time))
        assert [(hit.memory, hit.score) for hit in told] == [(old, 1.0), (new, 0.0)]

    async def test_a_span_is_that_of_the_best_chunk(self, memories: Memories) -> None:
        long = sample("weather " * 125 + "umbrella " * 20)
        await store(memories, [long])
        [hit] = await memories.recall(fused("umbrella", PROFILES["hybrid"].fusion))
        assert hit.span == (1000, len(long.content))
        assert hit.similarity == pytest.approx(1.0, abs=1e-3)

    async def test_what_stands_beside_a_memory_comes_in_order(self, memories: Memories) -> None:
        line = [sample(str(n)) for n in range(7)]
        elsewhere = [sample("other", session_id="s"), sample("stranger", OTHER_USER)]
        await store(memories, [*line, *elsewhere])
        first, middle = await memories.surround([line[0], line[3]], 2)
        assert first == (line[1], line[2])
        assert middle == (line[1], line[2], line[4], line[5])
        assert await memories.surround([elsewhere[0]], 5) == [()]
        await memories.revise(line[2], MemoryChanges(status=Status.ARCHIVED), LATER, None)
        assert await memories.surround([line[3]], 1) == [(line[1], line[4])]
