from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from serve_app.core.model_change import ModelChange, OwedMemory

CHANGE = ModelChange(
    origin="old",
    target="new",
    active="old",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    total=100,
    owed=50,
    per_second=4.0,
    error=None,
)


def test_the_other_model_is_the_one_that_searches_do_not_use() -> None:
    assert CHANGE.other == "new"
    assert replace(CHANGE, active="new").other == "old"


def test_the_time_left_is_what_is_owed_at_the_present_rate() -> None:
    assert CHANGE.seconds_left == 12.5


def test_without_a_rate_the_time_left_is_not_known() -> None:
    for rate in (None, 0.0):
        assert replace(CHANGE, per_second=rate).seconds_left is None


def test_where_nothing_is_owed_no_time_is_left_at_any_rate() -> None:
    for rate in (None, 4.0):
        assert replace(CHANGE, owed=0, per_second=rate).seconds_left == 0.0


def test_owed_memories_are_in_order_by_tenant_then_by_id() -> None:
    places = [(10, 0), (2, 1), (1, 9)]
    owed = [OwedMemory(tenant, UUID(int=number), "x", b"") for tenant, number in places]
    assert sorted(owed, key=lambda memory: memory.key) == owed[::-1]
