"""The reference is judged by hand-made scores, since it is what others are judged by."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import exp, log

import numpy as np
import pytest

from bench.reference import K1, B, Reference, find_spans, order_items, tokenize
from serve_app.evaluation.corpora import Item, Question

START = datetime(2025, 3, 1, tzinfo=UTC)


def item(number: int, text: str, day: int, session: str = "s") -> Item:
    return Item(f"{number}", text, START + timedelta(days=day), session)


def refer(items: Sequence[Item], cosines: Sequence[float]) -> Reference:
    vectors = [[cosine, (1 - cosine**2) ** 0.5] for cosine in cosines]
    return Reference.of(items, np.array(vectors, np.float32))


def ask(text: str) -> Question:
    return Question("q", text, {})


ALONG = np.array([1, 0], np.float32)


def test_words_lose_endings_and_stop_words() -> None:
    assert tokenize(["What did the painters paint?"]) == [["painter", "paint"]]


def test_bm25_is_the_formula_written_out() -> None:
    texts = ["red boat", "red car red", "green tree stands there tall"]
    reference = refer([item(n, text, n) for n, text in enumerate(texts)], [0, 0, 0])
    lengths = [len(tokens) for tokens in tokenize(texts)]
    mean = sum(lengths) / 3
    rarity = log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    expected = [
        rarity * count / (count + K1 * (1 - B + B * length / mean))
        for count, length in zip([1, 2, 0], lengths, strict=True)
    ]
    assert reference.bm25(ask("red"), ALONG) == pytest.approx(expected, rel=1e-5)
    assert reference.bm25(ask("unheard"), ALONG) == pytest.approx([0, 0, 0])


def test_hybrid_is_half_and_half() -> None:
    reference = refer([item(0, "red", 0), item(1, "blue", 1), item(2, "grey", 2)], [0.5, 0.9, 0.1])
    assert reference.hybrid(ask("red"), ALONG) == pytest.approx([0.5 * 0.5 + 0.5, 0.5, 0], abs=1e-6)


def test_a_conversation_adds_neighbours_then_sessions() -> None:
    items = [item(n, "grey", n, session) for n, session in enumerate("aabb")]
    reference = refer(items, [0.0, 1.0, 0.0, 0.0])
    near = np.array([0.2, 0.5, 0.2, 0.0])
    sessions = np.array([0.35, 0.35, 0.1, 0.1])
    found = reference.conversation(ask("purple"), ALONG)
    assert found == pytest.approx(near + 0.4 * sessions, abs=1e-6)


def test_a_named_date_lifts_its_days_and_fades() -> None:
    items = [item(n, "grey", day, f"{n}") for n, day in enumerate([0, 40, 80])]
    reference = refer(items, [0, 0, 0])
    found = reference.conversation(ask("in April 2025?"), ALONG)
    # 20 May lies 19 days after April; each is its own session, and its neighbour's score counts.
    late = 0.3 * exp(-19 / 7)
    assert found == pytest.approx(1.4 * np.array([0.12, 0.3 + 0.4 * late, late + 0.12]), abs=1e-4)


def test_when_lifts_what_tells_a_time() -> None:
    items = [item(0, "I went yesterday", 0, "a"), item(1, "I went", 1, "b")]
    found = refer(items, [0, 0]).conversation(ask("when?"), ALONG)
    assert found == pytest.approx([0.2 * 1.4, 0.08 * 1.4])


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("on 5 july 2025", [(datetime(2025, 7, 5), 1)]),
        ("on july 5th, 2025", [(datetime(2025, 7, 5), 1)]),
        ("in february", [(datetime(2024, 2, 1), 29), (datetime(2025, 2, 1), 28)]),
        ("in 2024", [(datetime(2024, 1, 1), 366)]),
        ("may she come?", []),
        ("on 31 june 2025", []),
    ],
)
def test_dates_are_read(text: str, spans: list[tuple[datetime, int]]) -> None:
    expected = [
        (first.replace(tzinfo=UTC), first.replace(tzinfo=UTC) + timedelta(days=days))
        for first, days in spans
    ]
    assert find_spans(text, {2024, 2025}) == expected


def test_of_equals_the_later_comes_first() -> None:
    reference = refer([item(n, "grey", n) for n in range(3)], [0, 0, 0])
    assert order_items(reference, np.array([1.0, 2.0, 1.0]), 2) == ["1", "2"]
