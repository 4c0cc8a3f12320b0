from itertools import chain, islice

import pytest

from bench.texts import MEMORY, QUESTION, SEED_TEXTS, count_texts, memories, questions


@pytest.mark.parametrize("write", [questions, memories])
def test_no_text_comes_twice_not_even_under_another_seed(write) -> None:
    texts = list(chain(write(0), islice(write(1), 20_000)))
    assert len(texts) == len(set(texts)) == SEED_TEXTS + 20_000


def test_a_seed_always_gives_the_same_texts() -> None:
    assert list(islice(questions(7), 5)) == list(islice(questions(7), 5))


def test_there_are_texts_for_many_seeds() -> None:
    assert count_texts(QUESTION) >= 125 * SEED_TEXTS
    assert count_texts(MEMORY) >= 1000 * SEED_TEXTS


def test_texts_are_words_and_no_digits() -> None:
    for text in chain(islice(questions(2), 100), islice(memories(2), 100)):
        assert not any(letter.isdigit() for letter in text)
        assert len(text.split()) >= 9
