import asyncio
import logging
from collections.abc import Sequence

import numpy as np
import pytest

from serve_app.core.errors import DatabaseUnavailable
from serve_app.core.memory import EmbeddedMemory, Kind, Memory, Scope, Status
from serve_app.core.summary import SummaryRules
from serve_app.language.sentences import Sentences
from serve_app.operations.ports import Lease
from serve_app.operations.summarise import SummaryReport, summarise
from tests.fakes.world import SCOPE, World

RULES = SummaryRules(threshold=10, batch_size=5)
OTHER = Scope(1, "agent", "other")


async def tick(world: World, rules: SummaryRules = RULES) -> SummaryReport:
    return await summarise(world.ports, world.summaries, Sentences(), rules, 60)


async def crowd(world: World, size: int, scope: Scope = SCOPE) -> list[Memory]:
    return [await world.remember(f"The order {4000 + n} came.", scope) for n in range(size)]


def active(world: World, scope: Scope = SCOPE) -> list[Memory]:
    return [m for m in world.memories.of_scope(scope) if m.status is Status.ACTIVE]


def runs(world: World, outcome: str) -> float:
    return world.meter.total("summarizer_runs", outcome=outcome)


async def test_a_crowded_scope_is_folded_until_it_is_not() -> None:
    world = World()
    old = await crowd(world, 17)
    report = await tick(world)
    assert report == SummaryReport({"folded": 1}, 10)
    first, second, *rest = active(world)
    assert rest == old[10:]
    assert first.sources == tuple(memory.id for memory in old[:5])
    assert second.sources == tuple(memory.id for memory in old[5:10])
    assert first.content.startswith("[Summary of 5 memories] The order 4000 came.")
    assert (first.kind, first.occurred_at) == (Kind.SEMANTIC, old[4].occurred_at)
    assert all(str(4000 + n) in first.content + second.content for n in range(10))
    assert runs(world, "folded") == 1
    assert world.meter.total("summarizer_memories_folded") == 10
    assert world.summaries.leases == {}


async def test_a_summary_is_embedded_as_it_is_stored() -> None:
    world = World()
    await crowd(world, 11)
    await tick(world)
    [summary, *_] = active(world)
    [chunk] = world.memories.rows[summary.id].chunks
    assert np.array_equal(chunk.vector, world.embedder.vector(summary.content))
    assert world.memories.rows[summary.id].model == world.embedder.model


async def test_a_scope_at_the_threshold_is_left_alone() -> None:
    world = World()
    old = await crowd(world, 10)
    assert await tick(world) == SummaryReport({}, 0)
    assert active(world) == old


async def test_summaries_that_crowd_are_folded_again() -> None:
    world = World()
    await crowd(world, 100)
    rules = SummaryRules(threshold=3, batch_size=4)
    await tick(world, rules)
    left = active(world)
    assert len(left) <= 6
    told = sum(int(m.content.split()[2]) for m in left if m.sources)
    assert told + sum(not m.sources for m in left) == 100
    text = " ".join(memory.content for memory in left)
    assert all(str(4000 + n) in text for n in range(100))
    assert all(memory.content.count("[Summary of") <= 1 for memory in left)


async def test_memories_too_full_to_fold_do_not_bar_the_way() -> None:
    world = World()
    rules = SummaryRules(threshold=10, batch_size=2, max_characters=200)
    huge = [await world.remember(f"Order {n} " + "was late " * 30) for n in range(5)]
    await crowd(world, 8)
    report = await tick(world, rules)
    assert report.outcomes == {"folded": 1}
    assert set(huge) <= set(active(world))
    assert sum(memory.kind is Kind.EPISODIC for memory in active(world)) <= 10


async def test_what_cannot_be_folded_at_all_is_nothing() -> None:
    world = World()
    old = [await world.remember(f"Order {n} " + "was late " * 30) for n in range(40)]
    rules = SummaryRules(threshold=10, batch_size=2, max_characters=200)
    assert await tick(world, rules) == SummaryReport({"nothing": 1}, 0)
    assert active(world) == old


async def test_endless_work_is_left_to_the_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.operations.summarise.ROUNDS_PER_SCOPE", 1)
    world = World()
    await crowd(world, 20)
    assert (await tick(world)).memories_folded == 5
    assert (await tick(world)).memories_folded == 5


async def test_a_scope_that_somebody_holds_is_busy() -> None:
    world = World()
    await crowd(world, 11)
    await crowd(world, 11, OTHER)
    [first, _] = await world.summaries.crowded_scopes(0, 10)
    assert await world.summaries.claim(first, world.new_id(), 60) is not None
    report = await tick(world)
    assert report == SummaryReport({"busy": 1, "folded": 1}, 5)
    assert len(active(world)) == 11
    assert list(world.summaries.leases) == [first]


async def test_a_source_that_is_forgotten_meanwhile_leaves_no_trace() -> None:
    world = World()
    old = await crowd(world, 11)

    async def forget_one() -> None:
        await world.memories.forget(1, old[2].id, None)
        world.embedder.interrupt = None

    world.embedder.interrupt = forget_one
    assert await tick(world) == SummaryReport({"stale": 1}, 0)
    assert active(world) == old[:2] + old[3:]
    assert runs(world, "stale") == 1
    assert world.summaries.leases == {}


async def test_a_lease_that_ran_out_folds_nothing() -> None:
    world = World()
    old = await crowd(world, 11)

    async def dawdle() -> None:
        world.advance(seconds=61)

    world.embedder.interrupt = dawdle
    assert (await tick(world)).outcomes == {"stale": 1}
    assert active(world) == old


async def test_a_lease_taken_between_rounds_ends_the_work() -> None:
    world = World()
    await crowd(world, 20)

    class Taken(type(world.summaries)):
        async def fold(
            self, lease: Lease, sources: Sequence[Memory], summary: EmbeddedMemory
        ) -> bool:
            folded = await super().fold(lease, sources, summary)
            world.advance(seconds=61)
            assert await self.claim(lease.scope_id, world.new_id(), 60) is not None
            return folded

    world.summaries = Taken(world.memories, lambda: world.now)
    assert await tick(world) == SummaryReport({"stale": 1}, 5)
    assert len(world.summaries.leases) == 1


async def test_one_scopes_error_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    old = [await world.remember("secret rain", OTHER) for _ in range(11)]
    await crowd(world, 11)
    world.embedder.refused.add("[Summary of 5 memories] secret rain")
    with caplog.at_level(logging.ERROR):
        report = await tick(world)
    assert report == SummaryReport({"error": 1, "folded": 1}, 5)
    assert active(world, OTHER) == old
    assert world.summaries.leases == {}
    assert runs(world, "error") == 1
    assert "EmbeddingUnavailable" in caplog.text
    assert "secret" not in caplog.text


async def test_without_a_database_there_is_no_tick() -> None:
    world = World()
    world.memories.down = True
    with pytest.raises(DatabaseUnavailable):
        await tick(world)


async def test_cancelling_gives_the_lease_back_and_folds_nothing() -> None:
    world = World()
    old = await crowd(world, 11)
    reached = asyncio.Event()

    async def hang() -> None:
        reached.set()
        await asyncio.Event().wait()

    world.embedder.interrupt = hang
    task = asyncio.create_task(tick(world))
    await reached.wait()
    assert len(world.summaries.leases) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.summaries.leases == {}
    assert active(world) == old


async def test_many_summarisers_make_one_summary_of_a_batch() -> None:
    world = World()
    old = await crowd(world, 30)
    reports = await asyncio.gather(*(tick(world) for _ in range(8)))
    assert sum(report.memories_folded for report in reports) == 20
    sources = [source for memory in active(world) for source in memory.sources]
    assert sources == [memory.id for memory in old[:20]]
