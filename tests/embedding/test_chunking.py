from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from serve_app.core.errors import InvalidInput
from serve_app.embedding.chunking import OVERLAP, Chunker, divide
from tests.embedding.hub import packaged_tokenizer

OPENING, CLOSING = 101, 102


def load_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(packaged_tokenizer()))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


TOKENIZER = load_tokenizer()
CHUNKER = Chunker(TOKENIZER, 100)


def cut(text):
    (passages,) = CHUNKER.cut_documents([text])
    return passages


def words_of(text):
    """Offsets of the words of a text, each a token."""
    offsets, position = [], 0
    for word in text.split(" "):
        offsets.append((position, position + len(word)))
        position += len(word) + 1
    return offsets


def test_a_short_text_is_one_passage_with_special_tokens():
    (passage,) = cut("hello world")
    assert (passage.start, passage.end) == (0, 11)
    assert passage.token_ids.tolist() == [OPENING, 7592, 2088, CLOSING]
    assert passage.token_ids.dtype == np.int64


@pytest.mark.parametrize("text", ["", "   \n ", "\u200b"])
def test_a_text_without_tokens_is_one_passage(text):
    (passage,) = cut(text)
    assert (passage.start, passage.end) == (0, len(text))
    assert passage.token_ids.tolist() == [OPENING, CLOSING]


@given(st.text(st.sampled_from("ab1 .\n\t中é😀\u200bwörd"), max_size=2000))
def test_passages_hold_every_character_and_fit_the_model(text):
    passages = cut(text)
    assert (passages[0].start, passages[-1].end) == (0, len(text))
    for before, after in pairwise(passages):
        assert before.start < after.start <= before.end < after.end
    assert all(len(passage.token_ids) <= 100 for passage in passages)


@given(st.lists(st.sampled_from(["stone", "Rivers", "unhappiness", "x.", "中文"]), max_size=600))
def test_passages_hold_every_token_in_order(words):
    text = " ".join(words)
    whole = TOKENIZER.encode(text, add_special_tokens=False)
    for passage in cut(text):
        inside = [
            token
            for token, (start, end) in zip(whole.ids, whole.offsets, strict=True)
            if passage.start <= start and end <= passage.end
        ]
        assert passage.token_ids.tolist() == [OPENING, *inside, CLOSING]


def test_a_full_passage_uses_all_the_room():
    text = "x" * 40 + " stone" * 97
    tokens = len(TOKENIZER.encode(text, add_special_tokens=False).ids)
    assert len(cut("stone " * 98)) == 1
    assert len(cut(text)) == (1 if tokens <= 98 else 2)


def test_passages_overlap():
    text = " ".join(f"w{number}" for number in range(200))
    spans = divide(text, words_of(text), 80)
    overlaps = [before[1] - after[0] for before, after in pairwise(spans)]
    assert spans[0][0] == 0
    assert spans[-1][1] == 200
    assert set(overlaps) == {OVERLAP}


def test_a_cut_prefers_the_end_of_a_sentence():
    words = ["word"] * 200
    words[69] = "end."
    text = " ".join(words)
    assert divide(text, words_of(text), 80)[0] == (0, 70)


def test_a_cut_prefers_the_end_of_a_word():
    # Tokens in pairs without space between: only the even ones begin a word.
    offsets = [(5 * (n // 2) + 2 * (n % 2), 5 * (n // 2) + 2 * (n % 2) + 2) for n in range(200)]
    text = "abcd " * 100
    spans = divide(text, offsets, 81)
    assert all(first % 2 == 0 for first, _ in spans)
    assert spans[0] == (0, 80)


def test_text_without_spaces_is_cut_where_the_room_ends():
    text = "中" * 300
    assert divide(text, [(n, n + 1) for n in range(300)], 80)[0] == (0, 80)


def test_a_question_is_cut_at_what_the_model_reads():
    (query,) = CHUNKER.cut_queries(["stone " * 500])
    assert len(query.token_ids) == 100
    assert (query.start, query.end) == (0, 98 * 6)
    assert query.token_ids[[0, -1]].tolist() == [OPENING, CLOSING]


def test_a_short_question_is_whole():
    (query,) = CHUNKER.cut_queries(["hello world"])
    assert query.token_ids.tolist() == [OPENING, 7592, 2088, CLOSING]


def test_a_lone_surrogate_fails_alone():
    documents = CHUNKER.cut_documents(["good", "bad \ud800", "good"])
    queries = CHUNKER.cut_queries(["good", "bad \ud800", "good"])
    assert [isinstance(outcome, InvalidInput) for outcome in documents] == [False, True, False]
    assert [isinstance(outcome, InvalidInput) for outcome in queries] == [False, True, False]
