from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pydantic import TypeAdapter, ValidationError

from serve_app.api.fields import (
    Cursor,
    Flag,
    Importance,
    Moment,
    Name,
    Text,
    TopK,
    Weight,
    write_cursor,
)


def fault(kind: Any, value: object) -> str:
    """The validator's word for what is wrong with a value."""
    with pytest.raises(ValidationError) as refusal:
        TypeAdapter(kind).validate_python(value)
    return refusal.value.errors()[0]["type"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-26T10:30:00Z", datetime(2026, 5, 26, 10, 30, tzinfo=UTC)),
        ("2026-05-26T12:30:00+02:00", datetime(2026, 5, 26, 10, 30, tzinfo=UTC)),
        ("2026-05-26 10:30:00.25+00:00", datetime(2026, 5, 26, 10, 30, 0, 250_000, UTC)),
    ],
)
def test_a_moment_is_read_as_utc(text: str, moment: datetime):
    assert TypeAdapter(Moment).validate_python(text) == moment
    assert TypeAdapter(Moment).validate_python(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2026-05-26T10:30:00", "no_time_zone"),
        ("2026-05-26", "no_time_zone"),
        (1_700_000_000, "not_a_moment"),
        ("1700000000", "not_a_moment"),
        ("yesterday", "not_a_moment"),
        (True, "not_a_moment"),
        ("0001-01-01T00:00:00+14:00", "not_a_moment"),
    ],
)
def test_a_moment_is_never_guessed(value: object, code: str):
    assert fault(Moment, value) == code


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_postgres_cannot_hold_is_refused(text: str):
    assert fault(Text, text) in ("unstorable_text", "string_unicode")
    assert fault(Name, text) in ("unstorable_text", "string_unicode")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Importance, True),
        (Importance, "1"),
        (Weight, False),
        (Weight, "0.5"),
        (TopK, True),
        (TopK, "5"),
        (TopK, 5.0),
        (Name, 5),
        (Flag, 1),
        (Flag, "true"),
    ],
)
def test_one_json_type_is_never_taken_for_another(kind: Any, value: object):
    assert fault(kind, value).endswith("_type")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_are_finite(value: float):
    assert fault(Importance, value) == "finite_number"
    assert fault(Weight, value) == "finite_number"


def test_a_cursor_comes_back_as_it_went():
    after = uuid4()
    assert TypeAdapter(Cursor).validate_python(write_cursor(after)) == after


@pytest.mark.parametrize("value", ["", "AAAA", "é", "not base64!", str(uuid4()), 7])
def test_what_is_no_cursor_is_refused(value: object):
    assert fault(Cursor, value) == "not_a_cursor"


def test_what_underflows_in_a_product_is_nothing():
    for kind in (Weight, Importance):
        assert TypeAdapter(kind).validate_python(1e-278) == 0.0
        assert TypeAdapter(kind).validate_python(1e-6) == 1e-6
