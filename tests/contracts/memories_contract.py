"""What every ports.Memories does; a subclass gives the fixture `memories`, empty."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest

from serve_app.core.errors import Conflict, NotFound
from serve_app.core.memory import Kind, Memory, MemoryChanges, Scope, Status
from serve_app.core.page import MemoryFilter
from serve_app.core.ranking import Candidate, RankingPolicy, rank
from serve_app.core.search import VectorSearch
from serve_app.operations.ports import Memories
from tests.contracts.samples import EMBEDDER, OTHER_USER, SCOPE, START, embed, sample, store
from tests.contracts.versions_contract import VersionsContract

LATER = START + timedelta(days=400)


def search_for(text: str, top_k: int = 10, alpha: float = 0.7, **fields: object) -> VectorSearch:
    policy = RankingPolicy.from_alpha(alpha, 30.0)
    plain = VectorSearch(SCOPE, EMBEDDER.vector(text), top_k, policy, LATER)
    return replace(plain, **fields)


class MemoriesContract(VersionsContract):
    async def test_what_was_added_is_read_back_unchanged(self, memories: Memories) -> None:
        wide = sample("Ünï — 漢字 😀", kind=Kind.PROCEDURAL, importance=0.123456789)
        [stored] = await memories.add([embed(wide)])
        assert stored == wide
        assert await memories.get(1, wide.id) == wide

    async def test_adding_an_id_twice_stores_it_once(self, memories: Memories) -> None:
        memory = sample()
        await store(memories, [memory])
        [again] = await memories.add([embed(memory)])
        assert again == memory
        assert await memories.count(SCOPE) == 1

    async def test_the_same_id_twice_in_one_call_is_stored_once(self, memories: Memories) -> None:
        memory = sample()
        assert await memories.add([embed(memory), embed(memory)]) == [memory, memory]
        assert await memories.count(SCOPE) == 1

    async def test_adding_nothing_gives_nothing(self, memories: Memories) -> None:
        assert await memories.add([]) == []

    async def test_outcomes_come_in_order_over_scopes(self, memories: Memories) -> None:
        mixed = [sample(str(n), SCOPE if n % 2 else OTHER_USER) for n in range(9)]
        await store(memories, mixed)
        assert await memories.count(SCOPE) == 4
        assert await memories.count(OTHER_USER) == 5

    async def test_a_memory_of_another_tenant_does_not_exist(self, memories: Memories) -> None:
        [memory] = await store(memories, [sample()])
        with pytest.raises(NotFound):
            await memories.get(2, memory.id)
        with pytest.raises(NotFound):
            await memories.forget(2, memory.id, None)
        assert (await memories.page(MemoryFilter(2), 10, None)).memories == ()
        assert await memories.count(Scope(2, "agent", "user")) == 0
        assert await memories.get(1, memory.id) == memory

    async def test_an_unknown_id_is_not_found(self, memories: Memories) -> None:
        with pytest.raises(NotFound):
            await memories.get(1, UUID(int=1))
        with pytest.raises(NotFound):
            await memories.forget(1, UUID(int=1), None)

    async def test_an_unknown_scope_is_empty(self, memories: Memories) -> None:
        assert await memories.count(Scope(1, "nobody", "nowhere")) == 0
        nobody = replace(search_for("x"), scope=Scope(1, "nobody", "nowhere"))
        assert await memories.search(nobody) == []

    async def test_a_search_finds_the_true_top_k(self, memories: Memories) -> None:
        words = ["tea", "rain", "train", "order", "cat"]
        samples = [
            sample(f"{words[n % 5]} {words[n % 3]} {n % 7}", occurred_at=LATER - age)
            for n in range(40)
            for age in [timedelta(days=(n * 37) % 90)]
        ]
        await store(memories, samples)
        for alpha in (0.0, 0.3, 0.7, 1.0):
            search = search_for("rain tea", alpha=alpha)
            truth = rank(
                [brute_force(memory, search) for memory in samples], LATER, search.policy, 10
            )
            found = rank(await memories.search(search), LATER, search.policy, 10)
            assert np.allclose([h.score for h in found], [h.score for h in truth], atol=1e-3)

    async def test_a_search_stays_in_its_scope_and_its_kind(self, memories: Memories) -> None:
        mine, fact = sample("rain"), sample("rain", kind=Kind.SEMANTIC)
        await store(memories, [mine, fact, sample("rain", OTHER_USER)])
        both = {candidate.memory for candidate in await memories.search(search_for("rain"))}
        assert both == {mine, fact}
        semantic = await memories.search(search_for("rain", kind=Kind.SEMANTIC))
        assert [candidate.memory for candidate in semantic] == [fact]

    async def test_a_search_proposes_a_memory_once_with_its_best_chunk(
        self, memories: Memories
    ) -> None:
        tail = "umbrella " * 20
        long = sample("weather " * 125 + tail)
        assert len(embed(long).chunks) == 2
        await store(memories, [long])
        [candidate] = await memories.search(search_for("umbrella"))
        assert candidate.span == (1000, len(long.content))
        assert candidate.similarity == pytest.approx(1.0, abs=1e-3)

    async def test_an_archived_memory_is_not_found_but_read(self, memories: Memories) -> None:
        [memory] = await store(memories, [sample("rain")])
        archived = await memories.revise(memory, MemoryChanges(status=Status.ARCHIVED), LATER, None)
        assert archived.status is Status.ARCHIVED
        assert await memories.search(search_for("rain")) == []
        assert await memories.count(SCOPE) == 0
        assert await memories.get(1, memory.id) == archived

    async def test_pages_walk_through_everything_once_newest_first(
        self, memories: Memories
    ) -> None:
        samples = await store(memories, [sample(str(n)) for n in range(7)])
        walked: list[Memory] = []
        after = None
        while True:
            page = await memories.page(MemoryFilter(1), 3, after)
            assert len(page.memories) <= 3
            walked.extend(page.memories)
            if page.next_after is None:
                break
            after = page.next_after
        assert walked == samples[::-1]

    async def test_a_page_is_filtered(self, memories: Memories) -> None:
        old, fact, other = sample(), sample(kind=Kind.SEMANTIC), sample(scope=OTHER_USER)
        await store(memories, [old, fact, other])
        archived = await memories.revise(old, MemoryChanges(status=Status.ARCHIVED), LATER, None)

        async def listed(**fields: object) -> tuple[Memory, ...]:
            where = MemoryFilter(1, **fields)
            return (await memories.page(where, 10, None)).memories

        assert await listed() == (other, fact)
        assert await listed(status=None) == (other, fact, archived)
        assert await listed(status=Status.ARCHIVED) == (archived,)
        assert await listed(user_id="user") == (fact,)
        assert await listed(agent_id="nobody") == ()
        assert await listed(kind=Kind.SEMANTIC) == (fact,)
        assert await listed(occurred_from=fact.occurred_at) == (other, fact)
        assert await listed(occurred_before=other.occurred_at) == (fact,)

    async def test_a_revision_changes_what_was_asked(self, memories: Memories) -> None:
        [memory] = await store(memories, [sample("rain")])
        changes = MemoryChanges("sun", Kind.SEMANTIC, 0.9, START)
        after = await memories.revise(memory, changes, LATER, EMBEDDER.chunks("sun"))
        assert after == replace(
            memory,
            content="sun",
            kind=Kind.SEMANTIC,
            importance=0.9,
            occurred_at=START,
            updated_at=LATER,
            version=2,
        )
        assert await memories.get(1, memory.id) == after
        [candidate] = await memories.search(search_for("sun"))
        assert candidate.similarity == pytest.approx(1.0, abs=1e-3)
        assert candidate.span == (0, 3)

    async def test_a_revision_of_an_outdated_memory_conflicts(self, memories: Memories) -> None:
        [memory] = await store(memories, [sample("rain")])
        after = await memories.revise(memory, MemoryChanges(importance=1.0), LATER, None)
        with pytest.raises(Conflict):
            await memories.revise(memory, MemoryChanges(importance=0.1), LATER, None)
        assert await memories.get(1, memory.id) == after

    async def test_a_revision_of_a_forgotten_memory_conflicts(self, memories: Memories) -> None:
        [memory] = await store(memories, [sample("rain")])
        await memories.forget(1, memory.id, None)
        with pytest.raises(Conflict):
            await memories.revise(memory, MemoryChanges(importance=0.1), LATER, None)

    async def test_what_is_forgotten_is_gone(self, memories: Memories) -> None:
        gone, kept = await store(memories, [sample("rain"), sample("rain")])
        await memories.forget(1, gone.id, "agent")
        with pytest.raises(NotFound):
            await memories.get(1, gone.id)
        assert [c.memory for c in await memories.search(search_for("rain"))] == [kept]
        assert await memories.count(SCOPE) == 1

    async def test_another_agent_forgets_nothing(self, memories: Memories) -> None:
        [memory] = await store(memories, [sample()])
        with pytest.raises(NotFound):
            await memories.forget(1, memory.id, "stranger")
        assert await memories.get(1, memory.id) == memory

    async def test_health_is_silent(self, memories: Memories) -> None:
        await memories.check_health()


def brute_force(memory: Memory, search: VectorSearch) -> Candidate:
    similarity = float(EMBEDDER.vector(memory.content) @ search.vector)
    return Candidate(memory, similarity, (0, len(memory.content)))
