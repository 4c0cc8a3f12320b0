"""What a question says of time: the dates in it, by dateparser, and whether it asks for one.

Names of days and months are English; dates in digits (2023-05-08) are read in any language.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from dateparser.date import DateDataParser

from serve_app.core.search import QuestionTime

MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
DAY = r"\d{1,2}(?:st|nd|rd|th)?"
YEAR = r"(?:,?\s*(?:19|20)\d\d)?"

PHRASE = re.compile(
    rf"""\b(?:
      (?P<date>
        (?:19|20)\d\d-\d\d-\d\d
      | {DAY}\s+(?:of\s+)?{MONTH}\b{YEAR}
      | {MONTH}\s+{DAY}\b{YEAR}
      | {MONTH},?\s+(?:19|20)\d\d
      | (?:19|20)\d\d
      | yesterday | today | the\s+day\s+before\s+yesterday
      | (?:last|this)\s+(?:week|month|year)
      | (?:last|on)\s+{WEEKDAY}
      | (?:a|one|two|three|four|five|six|seven|eight|nine|ten|\d{{1,3}})
        \s+(?:day|week|month|year)s?\s+ago
      )
    # `may` and `march` alone are verbs, too.
    | (?:in|during|since|of|until|by|last|this)\s+(?P<month>{MONTH}\b{YEAR})
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
"""Only what is surely meant as a date goes to the parser, which takes a millisecond."""

ASKS_WHEN = re.compile(
    r"\bwhen (?:did|does|do|is|was|were|will|has|have|had|are)\b|^\s*when\b|\bhow long\b"
    r"|\b(?:what|which) (?:date|day|month|year|week|time)\b"
    r"|\bhow many (?:days|weeks|months|years)\b",
    re.IGNORECASE,
)

TIME_WORDS = (
    *("yesterday", "today", "tonight", "tomorrow", "ago", "last"),
    *("week", "weekend", "month", "year"),
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    *("january", "february", "april", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
"""What tells a time in a memory; years are added."""

YEARS = 12


class QuestionDates:
    """Implements ports.Calendar."""

    def __init__(self) -> None:
        # The first reading loads the parser's language, which takes a sixth of a second.
        _read_phrase("today", "2000-01-01")

    def read(self, question: str, now: datetime) -> QuestionTime:
        """See ports.Calendar. A date without a year is the latest that is not after `now`."""
        dates = tuple(
            span
            for found in PHRASE.finditer(question)
            if (span := _read_phrase(found["date"] or found["month"], now.date().isoformat()))
        )
        if not ASKS_WHEN.search(question):
            return QuestionTime(dates)
        years = (str(year) for year in range(now.year - YEARS, now.year + 2))
        return QuestionTime(dates, (*TIME_WORDS, *years))


@lru_cache(maxsize=4096)
def _read_phrase(phrase: str, today: str) -> tuple[float, float] | None:
    """The stretch that the phrase means, said today (ISO date, UTC); None if it means none."""
    words = re.sub(r"\s+of\s+|^on\s+", " ", phrase.strip(), flags=re.IGNORECASE)
    base = datetime.fromisoformat(f"{today}T12:00:00")
    parser = DateDataParser(
        languages=["en"],
        settings={
            "RELATIVE_BASE": base,
            "PREFER_DATES_FROM": "past",
            "PREFER_DAY_OF_MONTH": "first",
            "PREFER_MONTH_OF_YEAR": "first",
        },
    )
    try:
        read = parser.get_date_data(words)
        return read.date_obj and _stretch(read.date_obj, str(read.period))
    except (OverflowError, ValueError):  # outside the years 1 to 9999
        return None


def _stretch(moment: datetime, period: str) -> tuple[float, float]:
    """The day, week (from Monday), month or year around a moment, in UTC seconds."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    if period == "week":
        start = day - timedelta(days=day.weekday())
        end = start + timedelta(days=7)
    elif period == "month":
        start = day.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    elif period == "year":
        start = day.replace(month=1, day=1)
        end = start.replace(year=start.year + 1)
    else:
        start, end = day, day + timedelta(days=1)
    return start.timestamp(), end.timestamp()
