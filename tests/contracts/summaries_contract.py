"""What every ports.Summaries does, and what Memories does with what was folded.

A subclass gives the fixtures `memories` and `summaries`, empty and over one store.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from serve_app.core.errors import NotFound
from serve_app.core.memory import Kind, Memory, MemoryChanges, Status
from serve_app.core.summary import SummaryRules
from serve_app.operations.ports import Lease, Memories, Summaries
from tests.contracts.memories_contract import LATER, search_for
from tests.contracts.samples import OTHER_USER, SCOPE, sample, store, summary_of

RULES = SummaryRules(threshold=3, batch_size=2)


async def crowd(memories: Memories, size: int = 4) -> list[Memory]:
    return await store(memories, [sample(f"rain {n}") for n in range(size)])


async def claim(summaries: Summaries, seconds: int = 60) -> Lease:
    [scope_id] = await summaries.crowded_scopes(0, 10)
    lease = await summaries.claim(scope_id, uuid4(), seconds)
    assert lease is not None
    return lease


async def fold(summaries: Summaries, sources: Sequence[Memory]) -> Memory:
    """A summary of the sources, stored."""
    lease, summary = await claim(summaries), summary_of(sources)
    assert await summaries.fold(lease, sources, summary)
    await summaries.release(lease)
    return summary.memory


async def statuses(memories: Memories, ids: Sequence[UUID]) -> list[Status]:
    return [(await memories.get(1, memory_id)).status for memory_id in ids]


class SummariesContract:
    async def test_a_scope_is_crowded_above_the_threshold(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        await crowd(memories, 4)
        await store(memories, [sample(scope=OTHER_USER), sample(kind=Kind.SEMANTIC)])
        assert len(await summaries.crowded_scopes(0, 10)) == 2
        assert len(await summaries.crowded_scopes(0, 1)) == 1
        assert len(await summaries.crowded_scopes(3, 10)) == 1
        assert await summaries.crowded_scopes(4, 10) == []

    async def test_only_one_holds_a_lease(self, memories: Memories, summaries: Summaries) -> None:
        await crowd(memories)
        lease = await claim(summaries)
        assert lease.scope == SCOPE
        assert await summaries.claim(lease.scope_id, uuid4(), 60) is None
        assert await summaries.claim(lease.scope_id, lease.holder, 60) == lease
        await summaries.release(lease)
        assert await summaries.claim(lease.scope_id, uuid4(), 60) is not None

    async def test_an_expired_lease_is_free(self, memories: Memories, summaries: Summaries) -> None:
        await crowd(memories)
        expired = await claim(summaries, seconds=0)
        lease = await claim(summaries)
        await summaries.release(expired)
        assert await summaries.claim(lease.scope_id, uuid4(), 60) is None

    async def test_the_oldest_are_read_in_order(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        lease = await claim(summaries)
        assert await summaries.oldest(lease, RULES) == old[:2]
        assert await summaries.oldest(lease, SummaryRules(threshold=4)) == []

    async def test_a_fold_archives_its_sources(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        summary = await fold(summaries, old[:2])
        assert await memories.get(1, summary.id) == summary
        for source in old[:2]:
            stored = await memories.get(1, source.id)
            assert (stored.status, stored.superseded_by) == (Status.ARCHIVED, summary.id)
        assert await memories.count(SCOPE) == 3
        found = {c.memory.id for c in await memories.search(search_for("rain"))}
        assert found == {summary.id, old[2].id, old[3].id}
        assert await summaries.crowded_scopes(2, 10) == []

    async def test_summaries_crowd_too(self, memories: Memories, summaries: Summaries) -> None:
        old = await crowd(memories, 8)
        first = [await fold(summaries, old[n : n + 2]) for n in range(0, 8, 2)]
        lease = await claim(summaries)
        assert await summaries.crowded_scopes(3, 10) == [lease.scope_id]
        assert await summaries.oldest(lease, RULES) == first[:2]

    async def test_a_lost_lease_folds_nothing(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        expired = await claim(summaries, seconds=0)
        await claim(summaries)
        summary = summary_of(old[:2])
        assert not await summaries.fold(expired, old[:2], summary)
        await self.assert_untouched(memories, old, summary.memory.id)

    async def test_a_released_lease_folds_nothing(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        lease = await claim(summaries)
        await summaries.release(lease)
        summary = summary_of(old[:2])
        assert not await summaries.fold(lease, old[:2], summary)
        await self.assert_untouched(memories, old, summary.memory.id)

    async def test_a_forgotten_source_folds_nothing(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        lease, summary = await claim(summaries), summary_of(old[:2])
        await memories.forget(1, old[0].id, None)
        assert not await summaries.fold(lease, old[:2], summary)
        await self.assert_untouched(memories, old[1:], summary.memory.id)

    async def test_a_revised_source_folds_nothing(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        lease, summary = await claim(summaries), summary_of(old[:2])
        revised = await memories.revise(old[1], MemoryChanges(importance=0.9), LATER, None)
        assert not await summaries.fold(lease, old[:2], summary)
        await self.assert_untouched(memories, [old[0], revised], summary.memory.id)

    async def test_a_source_is_folded_once(self, memories: Memories, summaries: Summaries) -> None:
        old = await crowd(memories)
        await fold(summaries, old[:2])
        lease, second = await claim(summaries), summary_of(old[1:3])
        assert not await summaries.fold(lease, old[1:3], second)
        await self.assert_untouched(memories, old[2:], second.memory.id)

    async def test_forgetting_a_source_withdraws_its_summary(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        summary = await fold(summaries, old[:2])
        await memories.forget(1, old[0].id, "agent")
        await self.assert_gone(memories, [summary.id, old[0].id])
        freed = await memories.get(1, old[1].id)
        assert (freed.status, freed.superseded_by) == (Status.ACTIVE, None)
        found = {c.memory.id for c in await memories.search(search_for("rain"))}
        assert found == {memory.id for memory in old[1:]}

    async def test_folding_and_unfolding_are_versions(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        summary = await fold(summaries, old[:2])
        await memories.forget(1, old[0].id, None)
        freed, folded, new = await memories.page_versions(1, old[1].id, 10, None)
        assert [freed.status, folded.status, new.status] == [
            Status.ACTIVE,
            Status.ARCHIVED,
            Status.ACTIVE,
        ]
        assert [freed.superseded_by, folded.superseded_by] == [None, summary.id]
        assert {version.content for version in (freed, folded, new)} == {old[1].content}
        assert new.valid_to == folded.valid_from
        assert folded.valid_to == freed.valid_from

    async def test_forgetting_a_summary_forgets_its_sources(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        summary = await fold(summaries, old[:2])
        await memories.forget(1, summary.id, None)
        await self.assert_gone(memories, [summary.id, old[0].id, old[1].id])
        assert await memories.count(SCOPE) == 2

    async def test_forgetting_deep_down_withdraws_every_summary_above(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        left, right = await fold(summaries, old[:2]), await fold(summaries, old[2:])
        top = await fold(summaries, [left, right])
        await memories.forget(1, old[0].id, None)
        await self.assert_gone(memories, [top.id, left.id, old[0].id])
        assert await statuses(memories, [old[1].id, right.id]) == [Status.ACTIVE] * 2
        assert await statuses(memories, [old[2].id, old[3].id]) == [Status.ARCHIVED] * 2

    async def test_forgetting_the_top_forgets_everything_below(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        left, right = await fold(summaries, old[:2]), await fold(summaries, old[2:])
        top = await fold(summaries, [left, right])
        await memories.forget(1, top.id, None)
        await self.assert_gone(memories, [m.id for m in [*old, left, right, top]])

    async def test_revising_a_folded_source_unfolds_it_first(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        summary = await fold(summaries, old[:2])
        before = await memories.get(1, old[0].id)
        after = await memories.revise(before, MemoryChanges(importance=0.9), LATER, None)
        assert (after.status, after.superseded_by) == (Status.ACTIVE, None)
        assert after.importance == 0.9
        await self.assert_gone(memories, [summary.id])
        assert await statuses(memories, [old[1].id]) == [Status.ACTIVE]
        assert await memories.count(SCOPE) == 4

    async def test_a_folded_source_can_be_restored(
        self, memories: Memories, summaries: Summaries
    ) -> None:
        old = await crowd(memories)
        await fold(summaries, old[:2])
        before = await memories.get(1, old[0].id)
        later = LATER + timedelta(days=1)
        after = await memories.revise(before, MemoryChanges(status=Status.ACTIVE), later, None)
        assert after.status is Status.ACTIVE
        assert await memories.count(SCOPE) == 4

    async def assert_gone(self, memories: Memories, ids: Sequence[UUID]) -> None:
        for memory_id in ids:
            with pytest.raises(NotFound):
                await memories.get(1, memory_id)

    async def assert_untouched(
        self, memories: Memories, sources: Sequence[Memory], summary_id: UUID
    ) -> None:
        await self.assert_gone(memories, [summary_id])
        for source in sources:
            assert await memories.get(1, source.id) == source
