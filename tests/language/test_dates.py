from datetime import UTC, datetime

import pytest

from serve_app.language.dates import QuestionDates

NOW = datetime(2026, 6, 3, 15, tzinfo=UTC)  # a Wednesday
DATES = QuestionDates()


def read(question: str, now: datetime = NOW) -> list[tuple[str, str]]:
    """The stretches as ISO dates, the end not included."""
    return [(day_of(start), day_of(end)) for start, end in DATES.read(question, now).dates]


def day_of(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


@pytest.mark.parametrize(
    ("question", "start", "end"),
    [
        ("What did Ann do in May 2023?", "2023-05-01", "2023-06-01"),
        ("Who came on 5 July?", "2025-07-05", "2025-07-06"),
        ("Who came on the 3rd of June, 2023", "2023-06-03", "2023-06-04"),
        ("on May 8th?", "2026-05-08", "2026-05-09"),
        ("on December 1,2023", "2023-12-01", "2023-12-02"),
        ("the order of 2023-05-08", "2023-05-08", "2023-05-09"),
        ("in 2022", "2022-01-01", "2023-01-01"),
        ("in June", "2026-06-01", "2026-07-01"),
        ("What was said last Tuesday?", "2026-06-02", "2026-06-03"),
        ("and yesterday", "2026-06-02", "2026-06-03"),
        ("two weeks ago", "2026-05-18", "2026-05-25"),
        ("last month", "2026-05-01", "2026-06-01"),
        ("last year", "2025-01-01", "2026-01-01"),
        ("during March 2024", "2024-03-01", "2024-04-01"),
    ],
)
def test_a_date_is_read(question: str, start: str, end: str) -> None:
    assert read(question) == [(start, end)]


def test_two_dates_are_two_stretches() -> None:
    assert read("between 3 May and 5 May 2024?")[1] == ("2024-05-05", "2024-05-06")
    assert len(read("between 3 May and 5 May 2024?")) == 2


@pytest.mark.parametrize(
    "question",
    [
        "May I march on?",
        "Who sat with Mon and April?",
        "What did she say a second ago?",
        "order 4000, room 1234567",
        "31 February 2023",
        "2023-13-45",
        "Is version 3.14 out?",
        "",
    ],
)
def test_what_is_no_date_is_none(question: str) -> None:
    assert read(question) == []


def test_dates_beyond_the_calendar_are_none() -> None:
    assert read("900 years ago", datetime(2, 1, 1, tzinfo=UTC)) == []
    assert read("today", datetime(9999, 12, 31, tzinfo=UTC)) == []


@pytest.mark.parametrize(
    "question",
    ["When did Ann come?", "How long has she been here?", "What date is it?", "which month was it"],
)
def test_a_question_for_a_time_brings_time_words(question: str) -> None:
    words = DATES.read(question, NOW).time_words
    assert {"yesterday", "monday", "2025"} <= set(words)


@pytest.mark.parametrize("question", ["Who came?", "What does she do when it rains?"])
def test_another_question_brings_none(question: str) -> None:
    assert DATES.read(question, NOW).time_words == ()
