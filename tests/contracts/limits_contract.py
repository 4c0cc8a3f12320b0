"""What tenants hold and may hold, whatever keeps it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from serve_app.core.errors import QuotaExceeded
from serve_app.core.memory import Memory, MemoryChanges, Status
from serve_app.core.summary import SummaryRules
from serve_app.core.usage import Quota
from serve_app.operations.ports import Memories, Summaries, TenantLimits
from tests.contracts.samples import SCOPE, embed, sample, store, summary_of

SetQuota = Callable[[Quota], Awaitable[None]]


async def held(limits: TenantLimits) -> tuple[int, int]:
    usage = await limits.usage(SCOPE.tenant_id)
    return usage.memories, usage.bytes


class LimitsContract:
    """Needs the fixtures `memories`, `summaries`, `limits` and `set_quota`."""

    async def test_a_new_tenant_holds_nothing(self, limits: TenantLimits) -> None:
        usage = await limits.usage(SCOPE.tenant_id)
        assert (usage.memories, usage.bytes, usage.quota) == (0, 0, Quota())
        assert await limits.overrides() == {}

    async def test_every_way_in_and_out_is_counted(
        self, limits: TenantLimits, memories: Memories
    ) -> None:
        first, second = await store(memories, [sample("Zoë"), sample("four")])
        assert await held(limits) == (2, 8)
        await memories.add([embed(first)])
        assert await held(limits) == (2, 8)
        changes = MemoryChanges(content="longer", status=Status.ARCHIVED)
        chunks = embed(replace(first, content="longer")).chunks
        await memories.revise(first, changes, first.updated_at, chunks)
        assert await held(limits) == (2, 10)
        await memories.forget(SCOPE.tenant_id, second.id, None)
        assert await held(limits) == (1, 6)

    async def test_tenants_are_counted_apart(
        self, limits: TenantLimits, memories: Memories
    ) -> None:
        await store(memories, [sample("mine")])
        theirs = await limits.usage(2)
        assert (theirs.memories, theirs.bytes) == (0, 0)

    async def test_summaries_count_and_a_full_house_can_be_folded(
        self,
        limits: TenantLimits,
        memories: Memories,
        summaries: Summaries,
        set_quota: SetQuota,
    ) -> None:
        await store(memories, [sample("abc") for _ in range(3)])
        await set_quota(Quota(3, 9))
        await fold(summaries, "summary")
        assert await held(limits) == (4, 16)
        [outcome] = await memories.add([embed(sample("one more"))])
        assert isinstance(outcome, QuotaExceeded)

    async def test_the_quota_is_met_to_the_last_memory(
        self, limits: TenantLimits, memories: Memories, set_quota: SetQuota
    ) -> None:
        await set_quota(Quota(5, None))
        outcomes = await memories.add([embed(sample("x")) for _ in range(8)])
        assert [isinstance(outcome, Memory) for outcome in outcomes] == [True] * 5 + [False] * 3
        assert {type(outcome) for outcome in outcomes[5:]} == {QuotaExceeded}
        assert await held(limits) == (5, 5)
        stored = [outcome for outcome in outcomes if isinstance(outcome, Memory)]
        await memories.forget(SCOPE.tenant_id, stored[0].id, None)
        [outcome] = await memories.add([embed(sample("y"))])
        assert isinstance(outcome, Memory)
        assert (await limits.usage(SCOPE.tenant_id)).quota == Quota(5, None)

    async def test_writers_at_once_do_not_get_more(
        self, limits: TenantLimits, memories: Memories, set_quota: SetQuota
    ) -> None:
        await set_quota(Quota(10, None))
        outcomes = await asyncio.gather(*(memories.add([embed(sample("x"))]) for _ in range(30)))
        assert sum(isinstance(outcome, Memory) for [outcome] in outcomes) == 10
        assert await held(limits) == (10, 10)

    async def test_bytes_are_met_by_a_longer_content_too(
        self, limits: TenantLimits, memories: Memories, set_quota: SetQuota
    ) -> None:
        [memory] = await store(memories, [sample("1234567")])
        await set_quota(Quota(None, 10))
        for content, fits in (("x" * 11, False), ("x" * 10, True)):
            changes = MemoryChanges(content=content)
            chunks = embed(replace(memory, content=content)).chunks
            revision = memories.revise(memory, changes, memory.updated_at, chunks)
            if fits:
                assert (await revision).content == content
            else:
                with pytest.raises(QuotaExceeded):
                    await revision
        assert await held(limits) == (1, 10)

    async def test_another_tenants_full_house_stops_nobody(
        self, memories: Memories, set_quota: SetQuota
    ) -> None:
        await set_quota(Quota(0, None))
        theirs = sample("theirs", replace(SCOPE, tenant_id=2))
        for _ in range(2):
            # The second time the full tenant is known, and the same id is stored once.
            outcomes = await memories.add([embed(sample("mine")), embed(theirs)])
            assert [type(outcome) for outcome in outcomes] == [QuotaExceeded, Memory]


async def fold(summaries: Summaries, content: str) -> None:
    """Fold the one scope's memories."""
    [scope_id] = await summaries.crowded_scopes(2, 9)
    lease = await summaries.claim(scope_id, sample().id, 60)
    assert lease is not None
    sources = await summaries.oldest(lease, SummaryRules(threshold=2, batch_size=3))
    assert await summaries.fold(lease, sources, summary_of(sources, content))
