import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.errors import RateLimited
from serve_app.core.rate_limits import RateLimit
from serve_app.operations.limit import LimitedCall
from tests.operations.fleet import open_fleet, search

MINUTE = 60.0


@pytest.mark.parametrize(("limit", "rate"), [("60/minute", 10), ("1000/minute", 60)])
async def test_two_replicas_keep_a_limit_over_a_minute(limit: str, rate: int) -> None:
    fleet = open_fleet(agent_searches=limit)
    allowed = RateLimit.parse(limit).count
    assert 0.98 * allowed <= await fleet.call_for(MINUTE, rate, search()) <= allowed
    # And then for as long as they go on.
    await fleet.call_for(3 * MINUTE, rate, search())
    assert fleet.most_within(MINUTE) <= allowed
    assert len(fleet.spent) >= 4 * 0.98 * allowed


async def test_a_steady_load_below_the_limit_is_never_refused() -> None:
    fleet = open_fleet(agent_searches="120/minute")
    assert await fleet.call_for(5 * MINUTE, 1.5, search()) == 450


async def test_the_edge_of_a_minute_gives_nothing_twice() -> None:
    fleet = open_fleet(agent_searches="60/minute")
    fleet.clock.now = 10 * MINUTE - 1
    assert await fleet.call_for(1, 100, search()) == 60
    assert await fleet.call_for(1, 100, search()) == 0


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 30)), max_size=25))
def test_no_span_holds_more_whatever_comes_when(bursts: list[tuple[float, int]]) -> None:
    async def run() -> None:
        fleet = open_fleet(3, agent_searches="20/minute")
        for pause, calls in bursts:
            fleet.clock.now += pause
            await asyncio.gather(*(fleet.call(search()) for _ in range(calls)))
            for limiter in fleet.limiters:
                limiter.leases.sweep()
            await asyncio.sleep(0)
        if fleet.spent:
            assert fleet.most_within(MINUTE) <= 20
        fleet.clock.now += 2 * MINUTE
        for limiter in fleet.limiters:
            limiter.leases.sweep()
        await asyncio.sleep(0)
        assert sum([await fleet.call(search()) for _ in range(30)]) == 20

    asyncio.run(run())


async def test_agents_have_limits_of_their_own_and_the_tenant_one_over_all() -> None:
    fleet = open_fleet(tenant="30/minute", agent_searches="20/minute")
    calls = [search(f"agent-{number}") for number in range(100)]
    assert sum([await fleet.call(call) for call in calls]) == 30
    assert not await fleet.call(search("one more"))
    assert await fleet.call(search("theirs", tenant_id=2))


async def test_a_key_is_limited_over_all_its_agents() -> None:
    fleet = open_fleet(key="5/minute")
    assert sum([await fleet.call(search(str(number))) for number in range(9)]) == 5
    assert await fleet.call(search(key_id="another"))


async def test_operations_are_counted_apart() -> None:
    fleet = open_fleet(agent_writes="2/minute", agent_searches="3/minute")
    write = LimitedCall(1, "key", "write", {"agent": 1})
    assert sum([await fleet.call(search()) for _ in range(5)]) == 3
    assert sum([await fleet.call(write) for _ in range(5)]) == 2
    assert await fleet.call(LimitedCall(1, "key", "read", {"agent": 1}))


async def test_a_call_that_one_limit_refuses_counts_in_none() -> None:
    fleet = open_fleet(1, tenant="10/minute", agent_searches="3/minute")
    assert sum([await fleet.call(search("greedy")) for _ in range(50)]) == 3
    assert sum([await fleet.call(search(str(number))) for number in range(50)]) == 7


async def test_a_batch_costs_its_agents_what_each_writes() -> None:
    fleet = open_fleet(1, tenant="10/minute", agent_writes="6/minute")
    batch = LimitedCall(1, "key", "write", {"a": 6, "b": 2}, 8)
    assert await fleet.call(batch)
    [limiter] = fleet.limiters
    told = {s.name: s.remaining for s in limiter.tell(batch, fleet.rules)}
    assert told == {"tenant": 2, "agent-writes": 0}
    assert not await fleet.call(LimitedCall(1, "key", "write", {"b": 3}, 3))
    assert await fleet.call(LimitedCall(1, "key", "write", {"b": 2}, 2))


async def test_a_batch_above_the_limit_is_told_so() -> None:
    fleet = open_fleet(1, agent_writes="6/minute")
    with pytest.raises(RateLimited, match="7 at once are more than") as refusal:
        await fleet.limiters[0].spend(LimitedCall(1, "k", "write", {"a": 7}, 7), fleet.rules)
    assert refusal.value.retry_after == 60
    assert await fleet.call(LimitedCall(1, "k", "write", {"a": 6}, 6))


async def test_a_refusal_says_when_to_come_again_and_is_counted() -> None:
    fleet = open_fleet(1, agent_searches="3/minute")
    for _ in range(3):
        assert await fleet.call(search())
    fleet.clock.now += 20
    with pytest.raises(RateLimited) as refusal:
        await fleet.limiters[0].spend(search(), fleet.rules)
    assert refusal.value.retry_after == 41
    assert fleet.meter.total("rate_limited", limit="agent-searches", operation="search") == 1
    fleet.clock.now += refusal.value.retry_after
    assert await fleet.call(search())
