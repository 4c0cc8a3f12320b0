import pytest

from serve_app.core.rate_limits import LimitRules, RateLimit, parse_optional


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("60/minute", RateLimit(60, 60.0)),
        ("120/min", RateLimit(120, 60.0)),
        (" 5 / M ", RateLimit(5, 60.0)),
        ("10/second", RateLimit(10, 1.0)),
        ("10/s", RateLimit(10, 1.0)),
        ("1000/hour", RateLimit(1000, 3600.0)),
        ("1/d", RateLimit(1, 86_400.0)),
        ("5/10 seconds", RateLimit(5, 10.0)),
        ("100/15minutes", RateLimit(100, 900.0)),
        ("999999", RateLimit(999_999, 60.0)),
        ("60/minute burst 10", RateLimit(10, 10.0)),
    ],
)
def test_forms(text: str, limit: RateLimit) -> None:
    assert RateLimit.parse(text) == limit


@pytest.mark.parametrize(
    "text",
    ["", "0/minute", "-1/minute", "1.5/s", "60/fortnight", "60/", "/minute", "60 minute"],
)
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match="limit"):
        RateLimit.parse(text)


@pytest.mark.parametrize(
    "text", ["60/minute burst 61", "60/minute burst 0", "1/0 seconds", "1000000001/s"]
)
def test_what_is_too_much_or_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="limit"):
        RateLimit.parse(text)


@pytest.mark.parametrize("text", ["60/minute", "10/second", "7/day", "5/90 seconds"])
def test_a_limit_reads_as_it_is_written(text: str) -> None:
    assert str(RateLimit.parse(text)) == text


def test_a_burst_reads_as_the_span_that_it_is() -> None:
    assert str(RateLimit.parse("60/minute burst 10")) == "10/10 seconds"


def test_rules_of_an_agent_by_operation() -> None:
    one, two, three = (RateLimit(count, 60.0) for count in (1, 2, 3))
    rules = LimitRules(agent_writes=one, agent_searches=two, agent_reads=three)
    assert [rules.of_agent(o) for o in ("write", "search", "read")] == [one, two, three]
    assert rules
    assert not LimitRules()


@pytest.mark.parametrize("text", ["unlimited", " Unlimited "])
def test_unlimited_is_no_limit(text: str) -> None:
    assert parse_optional(text) is None


def test_what_is_not_unlimited_is_a_limit() -> None:
    assert parse_optional("60/minute") == RateLimit(60, 60.0)
    with pytest.raises(ValueError, match="limit"):
        parse_optional("unlimited/minute")


def test_changed_rules_keep_what_is_not_named() -> None:
    rules = LimitRules(tenant=RateLimit(9, 1.0), key=RateLimit(8, 1.0))
    changed = rules.change({"key": "unlimited", "agent_reads": "5/second"})
    assert changed == LimitRules(tenant=RateLimit(9, 1.0), agent_reads=RateLimit(5, 1.0))
    assert rules.change({}) == rules == LimitRules(RateLimit(9, 1.0), RateLimit(8, 1.0))
