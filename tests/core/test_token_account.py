from serve_app.core.rate_limits import RateLimit
from serve_app.core.token_account import TokenAccount
from serve_app.core.token_window import TokenWindow

LIMIT = RateLimit(80, 60.0)


def open_account() -> tuple[TokenAccount, TokenWindow]:
    return TokenAccount(1, "tenant", "", LIMIT), TokenWindow(LIMIT)


def refill(account: TokenAccount, window: TokenWindow, costs: list[int], now: float) -> None:
    request = account.ask(costs, now)
    account.accept(window.lease(request, now), request, now)


def test_subjects_differ_by_limit_owner_and_span() -> None:
    subjects = {
        TokenAccount(1, name, whose, limit).subject
        for name in ("tenant", "key")
        for whose in ("", "a", "a\0b")
        for limit in (LIMIT, RateLimit(80, 61.0), RateLimit(81, 60.0))
    }
    assert len(subjects) == 2 * 3 * 2
    assert {len(subject) for subject in subjects} == {16}


def test_nothing_is_held_before_it_is_leased() -> None:
    account, window = open_account()
    assert not account.holds(1, 0.0)
    assert account.tell(1, 0.0).remaining == 80
    refill(account, window, [1, 2], 0.0)
    assert account.tokens == 3
    account.spend(3, 0.0)
    assert account.tell(1, 0.0).remaining == 77


def test_the_pace_of_a_block_makes_the_next_one_larger() -> None:
    account, window = open_account()
    refill(account, window, [1], 0.0)
    account.spend(1, 0.0)
    request = account.ask([1], 1.0)
    assert (request.due, request.ahead, request.settlement) == (1, 7, None)
    account.accept(window.lease(request, 1.0), request, 1.0)
    assert account.tokens == 8


def test_a_block_ends_and_is_settled_once() -> None:
    account, window = open_account()
    refill(account, window, [1], 0.0)
    account.spend(1, 0.0)
    refill(account, window, [1], 1.0)
    account.spend(1, 1.0)
    assert account.holds(7, 1.0)
    assert not account.is_due_for_settlement(2.0)
    assert not account.holds(1, 9.0)
    assert account.is_due_for_settlement(9.0)
    request = account.ask([], 9.0)
    assert (request.least, request.due, request.ahead) == (0, 0, 0)
    assert request.settlement is not None
    assert (request.settlement.spent, request.settlement.unspent) == (1, 7)
    assert request.settlement.idle == 8.0
    account.accept(window.lease(request, 9.0), request, 9.0)
    assert not account.is_due_for_settlement(9.0)
    assert account.tell(1, 9.0).remaining == 78


def test_what_is_spent_at_once_needs_no_settlement() -> None:
    account, window = open_account()
    refill(account, window, [1], 0.0)
    account.spend(1, 0.0)
    assert not account.is_due_for_settlement(50.0)
    assert not account.is_idle(59.0)
    assert account.is_idle(60.0)


def test_what_is_given_back_can_be_spent_or_is_settled() -> None:
    account, window = open_account()
    refill(account, window, [5], 0.0)
    account.spend(5, 0.0)
    account.give_back(5)
    assert account.holds(5, 0.0)
    assert account.is_due_for_settlement(1.0)
    refill(account, window, [], 1.0)
    account.give_back(5)
    assert account.tokens == 0
    assert account.tell(1, 1.0).remaining == 80


def test_a_refusal_is_remembered_for_a_while() -> None:
    account, window = open_account()
    window.lease(TokenAccount(1, "tenant", "", LIMIT).ask([80], 0.0), 0.0)
    refill(account, window, [1], 10.0)
    assert account.is_refused(1, 10.9)
    assert not account.is_refused(1, 11.0)
    assert 50.5 <= account.find_wait(10.0) <= 50.7


def test_a_dear_call_that_is_refused_stops_no_cheap_one() -> None:
    account, window = open_account()
    window.lease(TokenAccount(1, "tenant", "", LIMIT).ask([75], 0.0), 0.0)
    refill(account, window, [10], 0.0)
    assert account.is_refused(10, 0.5)
    assert not account.is_refused(5, 0.5)


def test_where_it_is_refused_the_wait_is_told_and_else_the_way_to_a_free_window() -> None:
    account, window = open_account()
    refill(account, window, [75], 0.0)
    account.spend(75, 0.0)
    refill(account, window, [10], 20.0)
    refused, cheap = account.tell(10, 20.0), account.tell(5, 20.0)
    assert (refused.name, refused.limit, refused.remaining) == ("tenant", LIMIT, 5)
    assert refused.reset_seconds == 41
    assert cheap.reset_seconds == 40
