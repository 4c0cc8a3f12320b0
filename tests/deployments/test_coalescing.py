import asyncio
from collections.abc import Sequence

import pytest

from deployments.coalescing import Coalescer, Limits
from serve_app.core.errors import FleetmemError, NotFound, Overloaded
from tests.fakes.meter import RecordingMeter

TENANT, OTHER = 1, 2


class Remote:
    """A remote list call that doubles numbers and can be held open."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.called = asyncio.Event()

    async def send(self, items: Sequence[int]) -> list[int | FleetmemError]:
        self.batches.append(list(items))
        self.called.set()
        await self.gate.wait()
        return [NotFound("no such number") if item < 0 else item * 2 for item in items]


@pytest.fixture
def remote() -> Remote:
    return Remote()


def coalesce(remote: Remote, **limits: int) -> Coalescer[int, int]:
    return Coalescer("double", remote.send, RecordingMeter(), Limits(**limits))


async def test_callers_of_one_turn_leave_together(remote: Remote) -> None:
    doubled = coalesce(remote)
    results = await asyncio.gather(*(doubled.submit(n, TENANT) for n in range(10)))
    assert results == [n * 2 for n in range(10)]
    assert remote.batches == [list(range(10))]


async def test_arrivals_wait_only_while_all_calls_are_out(remote: Remote) -> None:
    doubled = coalesce(remote, concurrency=1)
    remote.gate.clear()
    first = asyncio.create_task(doubled.submit(1, TENANT))
    await remote.called.wait()
    rest = [asyncio.create_task(doubled.submit(n, TENANT)) for n in (2, 3)]
    await asyncio.sleep(0)
    remote.gate.set()
    assert await asyncio.gather(first, *rest) == [2, 4, 6]
    assert remote.batches == [[1], [2, 3]]


async def test_each_caller_gets_its_own_error(remote: Remote) -> None:
    doubled = coalesce(remote)
    outcomes = await asyncio.gather(
        doubled.submit(1, TENANT),
        doubled.submit(-1, TENANT),
        doubled.submit(2, TENANT),
        return_exceptions=True,
    )
    assert outcomes[0] == 2
    assert isinstance(outcomes[1], NotFound)
    assert outcomes[2] == 4


async def test_callers_that_left_are_not_sent(remote: Remote) -> None:
    doubled = coalesce(remote, concurrency=1)
    remote.gate.clear()
    first = asyncio.create_task(doubled.submit(1, TENANT))
    await remote.called.wait()
    leaver = asyncio.create_task(doubled.submit(2, TENANT))
    stayer = asyncio.create_task(doubled.submit(3, TENANT))
    await asyncio.sleep(0)
    leaver.cancel()
    remote.gate.set()
    assert await asyncio.gather(first, stayer) == [2, 6]
    assert remote.batches == [[1], [3]]


async def test_a_batch_holds_no_more_than_its_limit(remote: Remote) -> None:
    doubled = coalesce(remote, max_items=3, concurrency=2)
    await asyncio.gather(*(doubled.submit(n, TENANT) for n in range(8)))
    assert sorted(len(batch) for batch in remote.batches) == [2, 3, 3]


async def test_a_failed_call_fails_its_callers_and_no_later_one() -> None:
    calls = 0

    async def send(items: Sequence[int]) -> list[int | FleetmemError]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Overloaded("full")
        return list(items)

    doubled: Coalescer[int, int] = Coalescer("double", send, RecordingMeter())
    outcomes = await asyncio.gather(
        doubled.submit(1, TENANT), doubled.submit(2, TENANT), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [Overloaded, Overloaded]
    assert await doubled.submit(3, TENANT) == 3


async def test_too_many_waiting_callers_are_refused_at_once(remote: Remote) -> None:
    doubled = coalesce(remote, concurrency=1, max_items=1, max_waiting=2)
    remote.gate.clear()
    waiting = [asyncio.create_task(doubled.submit(n, TENANT)) for n in range(2)]
    await remote.called.wait()
    waiting.append(asyncio.create_task(doubled.submit(2, TENANT)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await doubled.submit(3, TENANT)
    remote.gate.set()
    assert await asyncio.gather(*waiting) == [0, 2, 4]


async def hold_the_line(doubled: Coalescer[int, int], remote: Remote) -> asyncio.Task[int]:
    """A call that is out and does not come back until the gate opens."""
    remote.gate.clear()
    first = asyncio.create_task(doubled.submit(0, TENANT))
    await remote.called.wait()
    return first


async def test_one_call_does_not_wait_behind_a_thousand_of_another_tenant(remote: Remote) -> None:
    doubled = coalesce(remote, concurrency=1, max_items=10)
    calls = [await hold_the_line(doubled, remote)]
    calls += [asyncio.create_task(doubled.submit(n, TENANT)) for n in range(1, 1001)]
    await asyncio.sleep(0)
    calls.append(asyncio.create_task(doubled.submit(-7, OTHER)))
    await asyncio.sleep(0)
    remote.gate.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(outcomes[-1], NotFound)
    assert remote.batches[1] == [1, -7, 2, 3, 4, 5, 6, 7, 8, 9]
    assert outcomes[:-1] == [n * 2 for n in range(1001)]


async def test_tenants_share_every_batch_alike(remote: Remote) -> None:
    doubled = coalesce(remote, concurrency=1, max_items=6)
    calls = [await hold_the_line(doubled, remote)]
    for tenant in (10, 20, 30):
        calls += [asyncio.create_task(doubled.submit(tenant + n, tenant)) for n in range(4)]
    await asyncio.sleep(0)
    remote.gate.set()
    await asyncio.gather(*calls)
    assert remote.batches[1:] == [[10, 20, 30, 11, 21, 31], [12, 22, 32, 13, 23, 33]]


async def test_a_tenant_may_fill_no_more_than_its_share_of_the_queue(remote: Remote) -> None:
    doubled = coalesce(remote, concurrency=1, max_waiting=4, max_waiting_of_tenant=2)
    calls = [await hold_the_line(doubled, remote)]
    calls += [asyncio.create_task(doubled.submit(n, TENANT)) for n in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="your"):
        await doubled.submit(3, TENANT)
    calls.append(asyncio.create_task(doubled.submit(4, OTHER)))
    await asyncio.sleep(0)
    remote.gate.set()
    assert await asyncio.gather(*calls) == [0, 2, 4, 8]


async def test_a_batch_is_bounded_by_bytes_and_a_giant_goes_alone(remote: Remote) -> None:
    limits = Limits(concurrency=1, max_bytes=10)
    doubled: Coalescer[int, int] = Coalescer(
        "double", remote.send, RecordingMeter(), limits, measure=int
    )
    calls = [await hold_the_line(doubled, remote)]
    calls += [asyncio.create_task(doubled.submit(n, TENANT)) for n in (4, 6, 1, 99, 2)]
    await asyncio.sleep(0)
    remote.gate.set()
    await asyncio.gather(*calls)
    assert remote.batches[1:] == [[4, 6], [1], [99], [2]]


async def test_an_idle_coalescer_sends_in_the_next_turn_of_the_loop(remote: Remote) -> None:
    doubled = coalesce(remote, concurrency=2)
    remote.gate.clear()
    calls = [asyncio.create_task(doubled.submit(n, TENANT)) for n in (1, 2)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert remote.batches == [[1, 2]]
    calls.append(asyncio.create_task(doubled.submit(3, TENANT)))
    for _ in range(3):
        await asyncio.sleep(0)
    assert remote.batches == [[1, 2], [3]]
    remote.gate.set()
    assert await asyncio.gather(*calls) == [2, 4, 6]
