"""Folding while the world goes on: other summarisers, deletions, revisions."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import chain, count
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from serve_app.core.errors import Conflict, NotFound
from serve_app.core.memory import EmbeddedMemory, Kind, Memory, MemoryChanges, Status
from serve_app.core.page import MemoryFilter
from serve_app.core.summary import SummaryRules
from serve_app.language.sentences import Sentences
from serve_app.operations.ports import Lease
from serve_app.operations.summarise import SummaryReport, summarise
from serve_app.settings import Settings, load_settings
from serve_app.storage.connection import Pool, open_pool
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.summaries import PostgresSummaries
from tests.contracts.memories_contract import search_for
from tests.contracts.samples import SCOPE, sample, store, summary_of
from tests.fakes.world import World

RULES = SummaryRules(threshold=100, batch_size=50)
SUMMARISERS = 8


@pytest.fixture
def settings(fresh_dsn: str) -> Settings:
    return load_settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1, db_max_pool_size=20)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """What summaries need; it acts as maintenance."""
    pool = await open_pool(settings, "fleetmem_maintenance")
    yield pool
    await pool.close()


@pytest.fixture
async def memories(settings: Settings) -> AsyncIterator[PostgresMemories]:
    pool = await open_pool(settings)
    yield PostgresMemories(pool, settings)
    await pool.close()


async def tick(
    memories: PostgresMemories, summaries: PostgresSummaries, holder: UUID | None = None
) -> SummaryReport:
    """One summariser; its first id names the holder of its leases."""
    world = World(now=sample().created_at)
    ids = chain([holder or uuid4()], (sample().id for _ in count()))
    ports = replace(world.ports, memories=memories, new_id=lambda: next(ids))
    return await summarise(ports, summaries, Sentences(), RULES, 60)


async def listed(memories: PostgresMemories, status: Status) -> list[Memory]:
    page = await memories.page(MemoryFilter(1, status=status), 1_000, None)
    return sorted(page.memories, key=lambda memory: memory.id)


class Interrupted(PostgresSummaries):
    """Something happens between the reading of the sources and the fold."""

    def __init__(self, pool: Pool, memories: PostgresMemories, victim: Memory) -> None:
        super().__init__(pool)
        self._memories = memories
        self._victim = victim

    async def fold(self, lease: Lease, sources: list[Memory], summary: EmbeddedMemory) -> bool:
        await self._memories.forget(1, self._victim.id, None)
        return await super().fold(lease, sources, summary)


async def test_orders_keep_all_their_numbers_and_can_be_found(
    memories: PostgresMemories, pool: Pool
) -> None:
    orders = [sample(f"Order {4000 + n} was delayed by customs.") for n in range(50)]
    fresh = [sample(f"Talk number {n} about the weather.") for n in range(51)]
    await store(memories, orders + fresh)
    report = await tick(memories, PostgresSummaries(pool))
    assert report.outcomes == {"folded": 1}
    assert report.memories_folded == 50
    made = [memory for memory in await listed(memories, Status.ACTIVE) if memory.sources]
    told = " ".join(memory.content for memory in made)
    assert all(str(4000 + n) in told for n in range(50))
    assert {source for memory in made for source in memory.sources} == {m.id for m in orders}
    found = await memories.search(search_for(made[0].content[:200], alpha=1.0))
    assert made[0].id in {candidate.memory.id for candidate in found}
    assert not {candidate.memory.id for candidate in found} & {m.id for m in orders}


async def test_a_source_deleted_between_read_and_fold_makes_it_stale(
    memories: PostgresMemories, pool: Pool
) -> None:
    old = await store(memories, [sample(f"Order {n} came.") for n in range(101)])
    report = await tick(memories, Interrupted(pool, memories, old[7]))
    assert report.outcomes == {"stale": 1}
    assert await listed(memories, Status.ACTIVE) == [m for m in old if m != old[7]]
    assert await listed(memories, Status.ARCHIVED) == []


async def test_without_the_lease_each_source_is_still_folded_once(
    memories: PostgresMemories, pool: Pool
) -> None:
    """One name of a holder lets all eight work on the same sources at once."""
    old = await store(memories, [sample(f"The order {4000 + n} came.") for n in range(201)])
    holder = uuid4()
    reports = await asyncio.gather(
        *(tick(memories, PostgresSummaries(pool), holder) for _ in range(SUMMARISERS))
    )
    assert not any("error" in report.outcomes for report in reports)
    made = [memory for memory in await listed(memories, Status.ACTIVE) if memory.sources]
    sources = [source for memory in made for source in memory.sources]
    assert sum("stale" in report.outcomes for report in reports) > 0
    assert len(sources) >= 50
    assert len(sources) == len(set(sources)) == sum(report.memories_folded for report in reports)
    archived = await listed(memories, Status.ARCHIVED)
    assert {memory.id for memory in archived} == set(sources)
    still = [m for m in await listed(memories, Status.ACTIVE) if not m.sources]
    assert {m.id for m in archived} | {m.id for m in still} == {m.id for m in old}
    by_id = {memory.id: memory for memory in made}
    assert all(m.id in by_id[m.superseded_by].sources for m in archived if m.superseded_by)


async def test_folding_forgetting_and_revising_at_once_leave_no_summary_of_what_is_gone(
    memories: PostgresMemories, pool: Pool
) -> None:
    old = await store(memories, [sample(f"The order {4000 + n} came.") for n in range(151)])

    async def forget(memory: Memory) -> None:
        await memories.forget(1, memory.id, None)

    async def revise(memory: Memory) -> None:
        stored = await memories.get(1, memory.id)
        later = stored.updated_at + timedelta(days=1)
        # A fold may come between the two.
        with contextlib.suppress(Conflict):
            await memories.revise(stored, MemoryChanges(importance=0.9), later, None)

    await asyncio.gather(
        *(tick(memories, PostgresSummaries(pool)) for _ in range(3)),
        *(forget(memory) for memory in old[0:10]),
        *(revise(memory) for memory in old[50:60]),
    )
    gone = {memory.id for memory in old[0:10]}
    active = await listed(memories, Status.ACTIVE)
    everything = {m.id: m for m in active + await listed(memories, Status.ARCHIVED)}
    for summary in (memory for memory in active if memory.sources):
        assert not gone & set(summary.sources)
        for source in summary.sources:
            assert everything[source].superseded_by == summary.id
            assert everything[source].status is Status.ARCHIVED
            assert everything[source].updated_at <= summary.created_at
    assert everything.keys() >= {memory.id for memory in old[10:]}


async def test_deleting_a_source_gives_the_others_back_to_searches(
    memories: PostgresMemories, pool: Pool
) -> None:
    old = await store(memories, [sample(f"The order {4000 + n} came.") for n in range(101)])
    assert (await tick(memories, PostgresSummaries(pool))).memories_folded == 50
    [summary] = [memory for memory in await listed(memories, Status.ACTIVE) if memory.sources]
    await memories.forget(1, old[0].id, "agent")
    for gone in (summary.id, old[0].id):
        with pytest.raises(NotFound):
            await memories.get(1, gone)
    # Folded and freed: two changes.
    freed = [replace(memory, version=3) for memory in old[1:50]]
    assert await listed(memories, Status.ACTIVE) == freed + old[50:]
    assert await memories.count(SCOPE) == 100


async def test_a_lease_taken_over_during_the_fold_waits_for_its_end(
    memories: PostgresMemories, pool: Pool
) -> None:
    old = await store(memories, [sample(f"rain {n}") for n in range(4)])
    summaries = PostgresSummaries(pool)
    [scope_id] = await summaries.crowded_scopes(3, 10)
    first = await summaries.claim(scope_id, uuid4(), 60)
    assert first is not None
    folded, taken = await asyncio.gather(
        summaries.fold(first, old[:2], summary_of(old[:2])),
        summaries.claim(scope_id, uuid4(), 60),
    )
    assert folded
    assert taken is None
    assert [m.kind for m in await listed(memories, Status.ACTIVE)] == [
        Kind.EPISODIC,
        Kind.EPISODIC,
        Kind.SEMANTIC,
    ]
