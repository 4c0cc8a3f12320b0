"""What every store of rate limit windows does; the pure window is the measure."""

import asyncio
import random

import pytest

from serve_app.core.rate_limits import LimitRules, RateLimit
from serve_app.core.token_window import Settlement, TokenGrant, TokenRequest, TokenWindow
from serve_app.operations.ports import TokenStore
from tests.operations.fleet import Clock, Fleet, search

LIMIT = RateLimit(60, 60.0)


def ask(due: int, ahead: int = 0, settlement: Settlement | None = None) -> TokenRequest:
    return TokenRequest(1, b"s" * 16, LIMIT, min(due, 1), due, ahead, settlement)


def nearly(grant: TokenGrant) -> tuple[object, ...]:
    """The seconds of a store may differ in their last digits."""
    return (grant.granted, grant.free, grant.slot, pytest.approx(grant.lifetime, abs=1e-4),
            pytest.approx(grant.wait, abs=1e-4))  # fmt: skip


class TokensContract:
    """Needs the fixtures `tokens` and `clock`."""

    async def test_it_grants_what_the_pure_window_grants(
        self, tokens: TokenStore, clock: Clock
    ) -> None:
        draw = random.Random(7)
        window, last = TokenWindow(LIMIT), None
        for _ in range(120):
            clock.now += draw.choice((0.0, 0.013, 0.613, 3.3, 20.1, 70.3))
            spent = draw.randint(0, last.granted) if last else 0
            told = last and Settlement(last.slot, spent, last.granted - spent, draw.random() * 9)
            request = ask(draw.randint(0, 9), draw.choice((0, 5, 100)), told or None)
            found = await tokens.lease(request)
            wanted = window.lease(request, clock.now)
            got = (found.granted, found.free, found.slot, found.lifetime, found.wait)
            assert got == nearly(wanted)
            last = found if found.granted else None

    async def test_refused_calls_do_not_count(self, tokens: TokenStore, clock: Clock) -> None:
        assert (await tokens.lease(ask(60))).granted == 60
        for _ in range(5):
            clock.now += 10
            assert (await tokens.lease(ask(1))).granted == 0
        clock.now += 10.7
        assert (await tokens.lease(ask(60))).granted == 60

    async def test_windows_are_apart(self, tokens: TokenStore) -> None:
        first = TokenRequest(1, b"a" * 16, LIMIT, 1, 60, 0)
        other = TokenRequest(1, b"b" * 16, LIMIT, 1, 60, 0)
        theirs = TokenRequest(2, b"a" * 16, LIMIT, 1, 60, 0)
        for request in (first, other, theirs):
            assert (await tokens.lease(request)).granted == 60
            assert (await tokens.lease(request)).granted == 0

    async def test_a_changed_count_holds_at_once(self, tokens: TokenStore) -> None:
        assert (await tokens.lease(ask(60))).granted == 60
        larger = TokenRequest(1, b"s" * 16, RateLimit(75, 60.0), 1, 60, 0)
        assert (await tokens.lease(larger)).granted == 15

    async def test_many_at_once_get_no_more_than_there_is(self, tokens: TokenStore) -> None:
        grants = await asyncio.gather(*(tokens.lease(ask(7)) for _ in range(20)))
        assert sum(grant.granted for grant in grants) == 60

    async def test_two_replicas_keep_a_limit_over_a_minute(
        self, tokens: TokenStore, clock: Clock
    ) -> None:
        rules = LimitRules(tenant=RateLimit(200, 60.0), agent_searches=RateLimit(60, 60.0))
        fleet = Fleet(tokens, clock, rules)
        clock.now = 1_795_000_059.0
        assert 59 <= await fleet.call_for(60, 4, search()) <= 60
        # Another agent's name helps as far as the tenant's limit.
        for number in range(300):
            await fleet.call(search(f"agent-{number}"))
            clock.now += 0.01
        assert 196 <= fleet.most_within(60.0) <= 200
