import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.rate_limits import RateLimit
from serve_app.core.token_window import SLOTS, Settlement, TokenRequest, TokenWindow


def ask(
    limit: RateLimit, due: int = 1, ahead: int = 0, settlement: Settlement | None = None
) -> TokenRequest:
    return TokenRequest(1, b"subject", limit, min(due, 1), due, ahead, settlement)


def spend_at_once(window: TokenWindow, now: float) -> bool:
    return window.lease(ask(window.limit), now).granted == 1


limits = st.builds(RateLimit, st.integers(1, 50), st.sampled_from([1.0, 10.0, 60.0, 3600.0]))


@given(limits, st.lists(st.floats(0, 0.2), max_size=300))
def test_no_window_holds_more_than_the_limit(limit: RateLimit, pauses: list[float]) -> None:
    window = TokenWindow(limit)
    now, spent = 0.0, []
    for pause in pauses:
        now += pause * limit.seconds
        if spend_at_once(window, now):
            spent.append(now)
    for index, begin in enumerate(spent):
        assert sum(begin <= at < begin + limit.seconds for at in spent[index:]) <= limit.count


@given(limits, st.floats(0, 1e9), st.integers(0, 1000))
def test_refused_calls_do_not_count_and_all_comes_back(
    limit: RateLimit, start: float, refused: int
) -> None:
    window = TokenWindow(limit)
    assert all(spend_at_once(window, start) for _ in range(limit.count))
    late = start + 0.9 * limit.seconds
    assert not any(spend_at_once(window, late) for _ in range(refused))
    recovered = start + limit.seconds * (1 + 2 / SLOTS)
    assert all(spend_at_once(window, recovered) for _ in range(limit.count))


@given(limits, st.floats(0, 1e9))
def test_the_wait_is_as_long_as_told(limit: RateLimit, start: float) -> None:
    window = TokenWindow(limit)
    for _ in range(limit.count):
        assert spend_at_once(window, start)
    refusal = window.lease(ask(limit), start)
    assert limit.seconds <= refusal.wait <= limit.seconds * (1 + 1.001 / SLOTS)
    width = limit.seconds / SLOTS
    assert not spend_at_once(window, start + refusal.wait - width / 2)
    assert spend_at_once(window, start + refusal.wait + width / 2)


def test_the_edge_of_a_minute_gives_nothing_twice() -> None:
    window = TokenWindow(RateLimit(60, 60.0))
    assert sum(spend_at_once(window, 59.0) for _ in range(100)) == 60
    assert sum(spend_at_once(window, 60.0 + n / 2) for n in range(117)) == 0


def test_more_than_the_limit_never_fits() -> None:
    window = TokenWindow(RateLimit(5, 60.0))
    grant = window.lease(TokenRequest(1, b"s", window.limit, 6, 6, 0), 0.0)
    assert (grant.granted, grant.wait) == (0, 60.0)


def test_a_block_holds_what_is_due_and_an_eighth_of_the_rest() -> None:
    window = TokenWindow(RateLimit(80, 60.0))
    grant = window.lease(ask(window.limit, due=2, ahead=1000), 0.0)
    assert (grant.granted, grant.free) == (12, 68)
    assert 7.2 <= grant.lifetime <= 7.8 + 1e-9


def test_what_is_not_spent_comes_back_and_what_is_counts_from_then() -> None:
    window = TokenWindow(RateLimit(80, 60.0))
    grant = window.lease(ask(window.limit, due=0, ahead=1000), 0.0)
    assert grant.granted == 10
    told = Settlement(grant.slot, 4, 6, 1.0)
    assert window.lease(ask(window.limit, 0, 0, told), 2.0).free == 76
    # Spent at 1.0 at the latest, though leased until 7.8.
    assert window.lease(ask(window.limit, 0), 61.9).free == 80


def test_a_settlement_told_late_takes_nothing_from_others() -> None:
    window = TokenWindow(RateLimit(80, 60.0))
    grant = window.lease(ask(window.limit, due=0, ahead=1000), 0.0)
    told = Settlement(grant.slot, 4, 6, 1.0)
    assert window.lease(ask(window.limit, 80, 0), 100.0).granted == 80
    assert window.lease(ask(window.limit, 0, 0, told), 100.0).free == 0


def test_two_blocks_of_one_slot_are_settled_each_for_itself() -> None:
    window = TokenWindow(RateLimit(80, 60.0))
    first = window.lease(ask(window.limit, 10), 0.0)
    second = window.lease(ask(window.limit, 5), 0.0)
    assert first.slot == second.slot
    told = Settlement(first.slot, 4, 6, 0.0)
    assert window.lease(ask(window.limit, 0, 0, told), 0.1).free == 71
    told = Settlement(second.slot, 0, 5, 0.0)
    assert window.lease(ask(window.limit, 0, 0, told), 0.1).free == 76


def test_the_wait_goes_on_until_enough_slots_are_free() -> None:
    window = TokenWindow(RateLimit(60, 60.0))
    for due, now in ((10, 0.0), (20, 6.0), (30, 12.0)):
        assert window.lease(ask(window.limit, due), now).granted == due
    waits = [
        window.lease(TokenRequest(1, b"s", window.limit, due, due, 0), 12.0).wait
        for due in (10, 11, 30, 31)
    ]
    # A slot of 0.6 seconds is free once it lies a whole window back.
    assert waits == pytest.approx([48.6, 54.6, 54.6, 60.6])
