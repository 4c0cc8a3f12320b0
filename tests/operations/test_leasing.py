"""Blocks of tokens over a store in memory: what is asked of it, by how many, and how often."""

import asyncio
from collections.abc import Callable
from weakref import WeakSet

import pytest

from serve_app.core.errors import RateLimited
from serve_app.core.rate_limits import LimitRules, RateLimit
from serve_app.core.token_account import TokenAccount
from serve_app.core.token_window import TokenGrant, TokenRequest, TokenWindow
from serve_app.operations import leasing
from serve_app.operations.leasing import Leases
from tests.fakes.meter import RecordingMeter
from tests.fakes.tokens import InMemoryTokens
from tests.operations.fleet import Clock, Fleet, open_fleet, search

MINUTE = 60.0
LIMIT = RateLimit(60, MINUTE)


class SlowTokens(InMemoryTokens):
    """A store whose answers a test holds back; `meanwhile` happens before each of them."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.gate = asyncio.Event()
        self.gate.set()
        self.meanwhile: Callable[[], None] = lambda: None

    async def lease(self, request: TokenRequest) -> TokenGrant:
        await self.gate.wait()
        self.meanwhile()
        return await super().lease(request)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> SlowTokens:
    return SlowTokens(clock)


@pytest.fixture
def leases(store: SlowTokens, clock: Clock) -> Leases:
    return Leases(store, RecordingMeter(), clock)


async def let_run() -> None:
    """Let everything go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def store_of(fleet: Fleet) -> InMemoryTokens:
    assert isinstance(fleet.store, InMemoryTokens)
    return fleet.store


def asked(fleet: Fleet) -> int:
    return len(store_of(fleet).requests)


async def test_most_calls_ask_nobody() -> None:
    fleet = open_fleet(agent_searches="6000/minute")
    assert await fleet.call_for(MINUTE, 50, search()) == 3000
    assert asked(fleet) < 100


async def test_refused_calls_seldom_ask() -> None:
    fleet = open_fleet(agent_searches="60/minute")
    await fleet.call_for(1, 1000, search())
    before = asked(fleet)
    await fleet.call_for(10, 1000, search())
    assert asked(fleet) - before <= 22


async def test_calls_of_one_moment_ask_together() -> None:
    fleet = open_fleet(1, agent_searches="60/minute")
    answers = await asyncio.gather(*(fleet.call(search()) for _ in range(100)))
    assert sum(answers) == 60
    assert asked(fleet) <= 4


async def test_a_caller_who_leaves_takes_nobody_along() -> None:
    fleet = open_fleet(1, agent_searches="60/minute")
    gone = asyncio.create_task(fleet.call(search()))
    stays = asyncio.create_task(fleet.call(search()))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays


async def test_what_one_replica_does_not_spend_another_can() -> None:
    fleet = open_fleet(agent_searches="60/minute")
    first, second = fleet.limiters
    for _ in range(2):
        await first.spend(search(), fleet.rules)
        fleet.clock.now += 1
    fleet.clock.now += 10
    first.leases.sweep()
    await asyncio.sleep(0)
    allowed = 0
    for _ in range(100):
        try:
            await second.spend(search(), fleet.rules)
            allowed += 1
        except RateLimited:
            break
    assert allowed == 58


async def test_without_its_store_each_process_counts_alone() -> None:
    fleet = open_fleet(agent_searches="20/minute")
    store_of(fleet).down = True
    assert sum([await fleet.call(search()) for _ in range(100)]) == 40
    assert fleet.meter.total("rate_limit_store_errors", error="database_unavailable") == 2
    store_of(fleet).down = False
    fleet.clock.now += 6
    assert sum([await fleet.call(search()) for _ in range(100)]) == 20


async def test_counting_alone_a_limit_holds_for_as_long_as_the_store_is_away() -> None:
    fleet = open_fleet(1, agent_searches="20/minute")
    store_of(fleet).down = True
    allowed = await fleet.call_for(4 * MINUTE, 10, search())
    assert fleet.most_within(MINUTE) <= 20
    assert allowed >= 4 * 0.9 * 20


async def test_counting_alone_tenants_are_counted_apart() -> None:
    fleet = open_fleet(1, tenant="5/minute")
    store_of(fleet).down = True
    for tenant_id in (1, 2):
        calls = [search(tenant_id=tenant_id)] * 9
        assert sum([await fleet.call(call) for call in calls]) == 5


async def test_counting_alone_a_changed_limit_holds_at_once() -> None:
    fleet = open_fleet(1, agent_searches="10/minute")
    store_of(fleet).down = True
    assert sum([await fleet.call(search()) for _ in range(20)]) == 10
    fleet.rules = LimitRules(agent_searches=RateLimit(15, 60.0))
    assert sum([await fleet.call(search()) for _ in range(20)]) == 5


async def test_what_was_counted_alone_is_forgotten_with_its_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    windows: WeakSet[TokenWindow] = WeakSet()

    def open_window(limit: RateLimit) -> TokenWindow:
        windows.add(window := TokenWindow(limit))
        return window

    monkeypatch.setattr(leasing, "TokenWindow", open_window)
    fleet = open_fleet(1, agent_searches="20/minute")
    store_of(fleet).down = True
    for second, agent_id in enumerate(("gone", "stays", "changes", "stays")):
        fleet.clock.now = 20.0 * second
        assert await fleet.call(search(agent_id))
    fleet.clock.now = 61
    fleet.limiters[0].leases.sweep()
    assert len(windows) == 2
    fleet.rules = LimitRules(agent_searches=RateLimit(20, 10.0))
    assert await fleet.call(search("changes"))
    assert len(windows) == 3
    fleet.clock.now = 121
    fleet.limiters[0].leases.sweep()
    assert len(windows) == 0


async def test_what_was_counted_alone_is_never_settled_with_the_store() -> None:
    fleet = open_fleet(1, agent_searches="20/minute")
    store_of(fleet).down = True
    for _ in range(5):
        assert await fleet.call(search())
        fleet.clock.now += 1
    store_of(fleet).down = False
    fleet.clock.now += 1
    assert await fleet.call(search())
    fleet.limiters[0].leases.sweep()
    assert [request.settlement for request in store_of(fleet).requests] == [None]


async def test_a_changed_limit_holds_at_once() -> None:
    fleet = open_fleet(1, agent_searches="10/minute")
    assert sum([await fleet.call(search()) for _ in range(20)]) == 10
    fleet.rules = LimitRules(agent_searches=RateLimit(15, 60.0))
    assert sum([await fleet.call(search()) for _ in range(20)]) == 5


async def test_accounts_that_say_nothing_are_forgotten() -> None:
    fleet = open_fleet(1, agent_searches="10/minute")
    leases = fleet.limiters[0].leases
    for number in range(50):
        assert await fleet.call(search(str(number)))
    assert len(leases) == 50
    fleet.clock.now += 61
    leases.sweep()
    assert len(leases) == 0


async def test_what_is_held_is_spent_without_asking(leases: Leases, store: SlowTokens) -> None:
    account = leases.find_account(1, "tenant", "", LIMIT)
    assert await leases.take(account, 5)
    account.give_back(2)
    assert await leases.take(account, 2)
    assert account.tokens == 0
    assert [request.due for request in store.requests] == [5]


async def test_the_same_limit_of_the_same_caller_is_one_account(leases: Leases) -> None:
    account = leases.find_account(1, "key", "mine", LIMIT)
    assert leases.find_account(1, "key", "mine", LIMIT) is account
    others = [
        leases.find_account(2, "key", "mine", LIMIT),
        leases.find_account(1, "tenant", "mine", LIMIT),
        leases.find_account(1, "key", "yours", LIMIT),
    ]
    assert account not in others
    assert len(leases) == 4


async def test_what_a_grant_is_too_small_for_is_asked_for_again(
    leases: Leases, store: SlowTokens
) -> None:
    account = leases.find_account(1, "tenant", "", LIMIT)
    assert await leases.take(account, 55)
    taken = await asyncio.gather(*(leases.take(account, cost) for cost in (3, 4, 2)))
    assert taken == [True, False, True]
    # The block's five are three, then two; the four are refused by the store, not by the rest.
    assert [(r.least, r.due) for r in store.requests] == [(55, 55), (2, 9), (4, 4)]


async def test_a_refusal_that_takes_long_is_one(
    leases: Leases, store: SlowTokens, clock: Clock
) -> None:
    """By then it is too old to be remembered, and the call must not wait until it fits."""
    account = leases.find_account(1, "tenant", "", RateLimit(10, 1.0))
    assert await leases.take(account, 10)

    def pass_time() -> None:
        clock.now += 0.03

    store.meanwhile = pass_time
    assert not await leases.take(account, 1)
    assert len(store.requests) == 2


async def test_who_leaves_before_the_answer_spends_nothing(
    leases: Leases, store: SlowTokens
) -> None:
    store.gate.clear()
    account = leases.find_account(1, "tenant", "", LIMIT)
    leaves = asyncio.create_task(leases.take(account, 50))
    stays = asyncio.create_task(leases.take(account, 1))
    await let_run()
    comes_and_goes = asyncio.create_task(leases.take(account, 60))
    await let_run()
    leaves.cancel()
    comes_and_goes.cancel()
    await let_run()
    store.gate.set()
    assert await stays
    await let_run()
    assert account.tokens == 50
    assert [request.due for request in store.requests] == [51]


@pytest.mark.parametrize("fault", [ZeroDivisionError, asyncio.CancelledError])
async def test_a_fault_of_the_store_reaches_every_caller(
    leases: Leases, store: SlowTokens, fault: type[BaseException]
) -> None:
    working: list[asyncio.Task[None] | None] = []

    def fail() -> None:
        working.append(asyncio.current_task())
        raise fault

    store.gate.clear()
    account = leases.find_account(1, "tenant", "", LIMIT)
    calls = [asyncio.create_task(leases.take(account, 1)) for _ in range(3)]
    await let_run()
    calls[1].cancel()
    store.meanwhile = fail
    store.gate.set()
    for call in (calls[0], calls[2]):
        with pytest.raises(fault):
            await call
    assert [task is not None and task.cancelled() for task in working] == [
        fault is asyncio.CancelledError
    ]
    store.meanwhile = lambda: None
    assert await leases.take(account, 1)


async def take_twice(leases: Leases, clock: Clock) -> TokenAccount:
    """An account of the first tenant's that holds tokens from its store."""
    account = leases.find_account(1, "tenant", "", LIMIT)
    for _ in range(2):
        assert await leases.take(account, 1)
        clock.now += 1
    return account


async def test_an_account_that_calls_wait_for_is_let_be(
    leases: Leases, store: SlowTokens, clock: Clock
) -> None:
    account = await take_twice(leases, clock)
    assert account.tokens > 0
    store.gate.clear()
    waits = asyncio.create_task(leases.take(account, 59))
    await let_run()
    clock.now += 10 * MINUTE
    leases.sweep()
    await let_run()
    assert leases.find_account(1, "tenant", "", LIMIT) is account
    store.gate.set()
    assert await waits
    assert len(store.requests) == 3


async def test_a_sweep_settles_what_has_ended_and_nothing_else(
    leases: Leases, store: SlowTokens, clock: Clock
) -> None:
    account = await take_twice(leases, clock)
    left = account.tokens
    leases.sweep()
    await let_run()
    assert len(store.requests) == 2
    clock.now += 10
    leases.sweep()
    await let_run()
    settlement = store.requests[2].settlement
    assert settlement is not None
    assert (settlement.spent, settlement.unspent, settlement.idle) == (1, left, 11.0)
    assert account.tell(1, clock.now).remaining == 58


async def test_sweeping_goes_on_by_itself_until_nothing_is_left(
    leases: Leases, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leasing, "SWEEP_SECONDS", 0)
    for whose in ("early", "late"):
        assert await leases.take(leases.find_account(1, "key", whose, LIMIT), 1)
        await let_run()
        clock.now += 40
    assert len(leases) == 2
    for left in (1, 0):
        await let_run()
        assert len(leases) == left
        clock.now += 40
    assert await leases.take(leases.find_account(1, "key", "again", LIMIT), 1)
    clock.now += 80
    await let_run()
    assert len(leases) == 0


async def test_a_sweep_looks_at_a_part_of_many_accounts(
    leases: Leases, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leasing, "SWEPT_AT_ONCE", 2)
    for number in range(5):
        assert await leases.take(leases.find_account(1, "key", str(number), LIMIT), 1)
    clock.now += 61
    for left in (3, 1, 0):
        leases.sweep()
        assert len(leases) == left
