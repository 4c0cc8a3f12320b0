# ruff: noqa: RUF001 - sentences of many scripts are the very subject here.

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.memory import Kind, Memory, Scope, Status
from serve_app.core.summary import (
    PREFIX,
    Fold,
    Sentence,
    Source,
    SummaryRules,
    choose_sentences,
    count_leaves,
    drop_duplicates,
    plan_folds,
    strip_prefix,
    write_summary,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
STOP_WORDS = frozenset({"the", "a", "to", "about", "and", "is"})
RULES = SummaryRules()


def memory(number: int, content: str = "rain", **fields: object) -> Memory:
    moment = START + timedelta(minutes=number)
    plain = Memory(
        UUID(int=number + 1),
        Scope(1, "agent", "user"),
        content,
        Kind.EPISODIC,
        0.5,
        moment,
        moment,
        moment,
    )
    return replace(plain, **fields)


def source(number: int, *sentences: str) -> Source:
    return Source(memory(number, " ".join(sentences)), sentences, STOP_WORDS)


def sources(*contents: str) -> list[Source]:
    return [source(number, content) for number, content in enumerate(contents)]


def lines(fold: Fold) -> list[str]:
    return PREFIX.sub("", fold.content).split("\n")


def sentence(text: str, *anchors: str) -> Sentence:
    words = frozenset(text.split())
    return Sentence(text, words, words - STOP_WORDS, frozenset(anchors))


def test_fifty_orders_keep_all_fifty_numbers() -> None:
    [fold] = plan_folds(
        sources(*(f"The customer asked about order {n}." for n in range(4000, 4050))), RULES
    )
    assert fold.content.startswith("[Summary of 50 memories] ")
    assert {int(n) for n in re.findall(r"\d{4}", fold.content)} == set(range(4000, 4050))


def test_repetitions_are_told_once_in_order() -> None:
    same = ["she likes the tea in bed"] * 3
    [fold] = plan_folds(sources("it rains", *same, "she likes the tea in bed!"), RULES)
    assert lines(fold) == ["it rains", "she likes the tea in bed"]


def test_the_most_typical_sentences_are_kept() -> None:
    typical = [f"we talk about tea {word}" for word in ("early", "late", "often", "daily")]
    [fold] = plan_folds(sources("odd things happen", *typical, "quiet days pass"), RULES)
    assert len(lines(fold)) == 5
    assert lines(fold)[1:] == typical or lines(fold)[:4] == typical


NAMES = ["Alice", "Олег", "Γιώργος", "李雷", "ダイスケ", "राहुल", "יוסי", "زينب", "გიორგი", "민준"]
PHRASES = ["met {} at {}", "{} paid {} euros", "{}在{}点来", "купил {} за {}", "{}は{}時に来た"]
PHRASES += ["they say {} did not pay {}", "{} ने {} रुपये नहीं दिए", "plain talk about tea", "tea"]

sentences = st.builds(
    lambda phrase, name, number: phrase.format(name, number),
    st.sampled_from(PHRASES),
    st.sampled_from(NAMES),
    st.integers(0, 99).map(str) | st.sampled_from(["3.5", "-7%", "٤٢", "a@b.org", "AB-12"]),
)
many_sources = st.lists(st.lists(sentences, min_size=1, max_size=4), min_size=2, max_size=20)


def facts(text: str) -> set[str]:
    """Numbers as written and known names: an oracle that shares nothing with the code."""
    numbers = set(re.findall(r"[-\w.@]*\d[-\w.@%]*|a@b\.org", re.sub(r"[^\x00-\u0fff]", " ", text)))
    return numbers | {name for name in NAMES if name in text}


@given(many_sources, st.integers(1, 6), st.integers(120, 2000))
def test_a_summary_never_loses_a_fact(
    texts: list[list[str]], max_sentences: int, max_characters: int
) -> None:
    rules = SummaryRules(max_sentences=max_sentences, max_characters=max_characters)
    given_sources = [source(number, *of_one) for number, of_one in enumerate(texts)]
    for fold in plan_folds(given_sources, rules):
        folded = "\n".join(m.content for m in fold.memories)
        assert facts(folded) <= facts(fold.content)
        assert len(fold.content) <= max_characters
        for number in (m.id.int - 1 for m in fold.memories):
            denied = {text for text in texts[number] if " not " in text or "नहीं" in text}
            assert denied <= set(lines(fold))


@given(many_sources, st.integers(60, 400), st.integers(2, 8))
def test_groups_are_consecutive_and_of_a_batch_at_most(
    texts: list[list[str]], max_characters: int, batch_size: int
) -> None:
    rules = SummaryRules(batch_size=batch_size, max_characters=max_characters)
    folds = plan_folds([source(n, *of_one) for n, of_one in enumerate(texts)], rules)
    groups = [[m.id.int for m in fold.memories] for fold in folds]
    assert all(2 <= len(group) <= batch_size for group in groups)
    for group in groups:
        assert group == list(range(group[0], group[0] + len(group)))
    flat = [number for group in groups for number in group]
    assert flat == sorted(set(flat))


@given(many_sources)
def test_sentences_keep_their_order_and_words(texts: list[list[str]]) -> None:
    [fold] = plan_folds([source(n, *of_one) for n, of_one in enumerate(texts)], RULES)
    said = iter(text for of_one in texts for text in of_one)
    assert all(line in said for line in lines(fold))


def test_what_does_not_fit_is_split_into_groups_that_do() -> None:
    texts = [f"Order {n} was {'very ' * 20}late." for n in range(10)]
    folds = plan_folds(sources(*texts), SummaryRules(max_characters=400))
    assert [len(fold.memories) for fold in folds] == [3, 3, 3]
    assert all(len(fold.content) <= 400 for fold in folds)


def test_a_memory_that_fits_with_none_is_left_between_groups() -> None:
    huge = "Order 7 was " + "very " * 100 + "late."
    folds = plan_folds(
        sources("Ann 1", "Ann 2", huge, "Ann 3", "Ann 4"), SummaryRules(1, 50, 5, 99)
    )
    assert [[m.id.int for m in fold.memories] for fold in folds] == [[1, 2], [4, 5]]


def test_typical_sentences_give_way_when_room_is_short() -> None:
    plain = [f"plain talk of {word * 10} and so on" for word in ("tea", "rain", "cat", "bus")]
    [fold] = plan_folds(sources(*plain, "Ann 4"), SummaryRules(max_characters=110))
    assert "Ann 4" in lines(fold)
    assert 1 <= len(lines(fold)) < 5


def test_nothing_and_one_are_not_folded() -> None:
    assert plan_folds([], RULES) == []
    assert plan_folds(sources("rain"), RULES) == []


def test_blank_sentences_are_nothing() -> None:
    [fold] = plan_folds([source(0, " ", "rain "), source(1, "\n")], RULES)
    assert fold.content == "[Summary of 2 memories] rain"


def test_an_ordinary_opener_does_not_keep_a_sentence() -> None:
    texts = ["the sea and the sun", "sun and sea to see", "The shop closes"]
    [fold] = plan_folds(sources(*texts), SummaryRules(max_sentences=1))
    assert len(lines(fold)) == 1
    [named] = plan_folds(sources(*texts, "she is The one"), SummaryRules(max_sentences=1))
    assert any("The" in line for line in lines(named))


def test_duplicates_need_likeness_and_no_anchor_of_their_own() -> None:
    first = sentence("a b c d e f g", "x", "y")
    alike = sentence("a b c d e f g h", "x")
    assert drop_duplicates([first, alike]) == [first]
    other_anchor = replace(alike, anchors=frozenset({"z"}))
    assert drop_duplicates([first, other_anchor]) == [first, other_anchor]
    unlike = sentence("a b c d v w", "x")
    assert drop_duplicates([first, unlike]) == [first, unlike]


def test_the_bound_of_likeness_is_seven_tenths() -> None:
    ten = sentence("a b c d e f g h i j")
    assert drop_duplicates([ten, sentence("a b c d e f g")]) == [ten]
    six = sentence("a b c d e f")
    assert drop_duplicates([ten, six]) == [ten, six]


word_sets = st.lists(st.frozensets(st.sampled_from("abcdefghijkl")), max_size=12)


@given(word_sets)
def test_duplicates_are_those_that_comparing_all_pairs_finds(sets: list[frozenset[str]]) -> None:
    given_sentences = [sentence(" ".join(sorted(words))) for words in sets]
    kept: list[Sentence] = []
    for one in given_sentences:
        if not any(
            one.words and 10 * len(one.words & other.words) >= 7 * len(one.words | other.words)
            for other in kept
        ):
            kept.append(one)
    assert drop_duplicates(given_sentences) == kept


def test_sentences_without_words_are_kept_apart() -> None:
    smile, frown = sentence("", "☺"), sentence("", "☹")
    assert choose_sentences([smile, frown], 1) == [smile, frown]


def test_fewest_sentences_carry_the_anchors() -> None:
    weak, both = sentence("v", "x"), sentence("w", "x", "y")
    typical = sentence("p b")
    again = sentence("p c")
    assert choose_sentences([weak, typical, both, again], 2) == [typical, both, again]


def test_a_summary_inherits_weight_and_time() -> None:
    folded = (memory(5, importance=0.9), memory(3), memory(4, importance=0.1))
    now = START + timedelta(days=9)
    written = write_summary(Fold(folded, "[Summary of 3 memories] x"), UUID(int=99), now)
    assert written == Memory(
        UUID(int=99),
        folded[0].scope,
        "[Summary of 3 memories] x",
        Kind.SEMANTIC,
        0.9,
        now,
        folded[0].occurred_at,
        now,
        Status.ACTIVE,
        (UUID(int=6), UUID(int=4), UUID(int=5)),
    )


def ids(count: int) -> tuple[UUID, ...]:
    return tuple(UUID(int=n) for n in range(count))


@pytest.mark.parametrize(
    ("content", "leaf_sources", "leaves"),
    [
        ("[Summary of 50 memories] x", 3, 50),
        ("revised by a user", 3, 3),
        ("[Summary of 50 memories] quoted in a plain memory", 0, 1),
    ],
)
def test_leaves(content: str, leaf_sources: int, leaves: int) -> None:
    assert count_leaves(memory(1, content, sources=ids(leaf_sources))) == leaves


def test_only_a_summary_loses_its_prefix() -> None:
    content = "[Summary of 50 memories] [Summary of 2 memories] x"
    assert strip_prefix(memory(1, content, sources=ids(2))) == "[Summary of 2 memories] x"
    assert strip_prefix(memory(1, content)) == content


def test_summaries_of_summaries_count_all_memories_below() -> None:
    folded: Sequence[Source] = [
        Source(memory(n, f"[Summary of {n + 2} memories] x", sources=ids(2)), ("x",), STOP_WORDS)
        for n in range(3)
    ]
    [fold] = plan_folds(folded, RULES)
    assert fold.content == "[Summary of 9 memories] x"
