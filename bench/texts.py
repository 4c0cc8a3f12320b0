"""Texts of our own that never repeat: ordinary words, as people write to agents.

Strings of digits would be cheaper or dearer to tokenise than what is really said. Every text is a
number written in words: the slots of a sentence are its digits, so no two numbers read alike.
"""

from collections.abc import Iterator
from math import gcd, prod


def _split(words: str, apart: str | None = None) -> tuple[str, ...]:
    return tuple(words.split(apart))


PEOPLE = _split(
    "Anna Ben Carla David Elena Felix Grace Hugo Irene Jonas Karin Lukas Maria Nina Oscar Paula "
    "Robert Sofia Thomas Vera"
)
THINGS = _split(
    "invoice contract backup report password ticket schedule budget server printer laptop meeting "
    "order refund delivery survey recipe garden kitchen holiday passport bicycle library camera "
    "guitar project database website payment warranty training interview apartment birthday "
    "insurance newsletter dashboard account migration calendar"
)
ADJECTIVES = _split(
    "first second last new old annual monthly missing broken expensive quiet large small green "
    "private shared urgent late early final weekly open closed hidden heavy light local red"
)
ACTIONS = _split(
    "change move send check cancel repair review forget finish print explain approve reject copy "
    "archive replace order paint sell clean test plan discuss open close publish rename measure"
)
PLACES = _split(
    "office school hospital airport station market museum hotel factory warehouse bakery theatre "
    "village harbour mountain beach restaurant bank garage studio"
)
DAYS = _split(
    "on Monday;on Tuesday;on Wednesday;on Thursday;on Friday;on Saturday;on Sunday;this morning;"
    "last night;last week;in spring;in summer;in autumn;in winter;in January;in June;in October",
    ";",
)
REASONS = _split(
    "the price rose;nobody answered;the train was late;it rained all day;the manager agreed;"
    "a part was missing;the team was ill;the customer complained;the room was too small;"
    "the law has changed;the supplier failed;the deadline moved;two people disagreed;"
    "the old one was lost;the tests had failed;everybody liked it",
    ";",
)

QUESTION = "Why did {0} {1} the {2} {3} at the {4}?"
MEMORY = "{0} wanted to {1} the {2} {3} at the {4} {5}, because {6}."
SLOTS = (PEOPLE, ACTIONS, ADJECTIVES, THINGS, PLACES, DAYS, REASONS)

STRIDE = 982_451_653
"""A prime far from any count of combinations: neighbours in time differ in every word."""

SEED_TEXTS = 100_000
"""Texts that belong to one seed before those of the next seed begin."""


def questions(seed: int) -> Iterator[str]:
    """Questions of 13 to 16 tokens; none twice, nor under another of the first 125 seeds."""
    return _write(QUESTION, seed)


def memories(seed: int) -> Iterator[str]:
    """Statements of 19 to 24 tokens; none of them twice, nor under another seed."""
    return _write(MEMORY, seed)


def count_texts(sentence: str) -> int:
    """How many different texts a sentence can say."""
    return prod(len(words) for words in _slots(sentence))


def _write(sentence: str, seed: int) -> Iterator[str]:
    slots, total = _slots(sentence), count_texts(sentence)
    assert gcd(STRIDE, total) == 1
    for number in range(seed * SEED_TEXTS, (seed + 1) * SEED_TEXTS):
        digits, words = number * STRIDE % total, list[str]()
        for slot in slots:
            digits, digit = divmod(digits, len(slot))
            words.append(slot[digit])
        yield sentence.format(*words)


def _slots(sentence: str) -> tuple[tuple[str, ...], ...]:
    return SLOTS[: sentence.count("{")]
