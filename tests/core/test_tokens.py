# ruff: noqa: RUF001 - letters of other scripts are the very subject here.

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.tokens import character_class, split_runs, tokenise


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("The Cat, sat_on 40 mats.", ["The", "Cat", "sat_on", "40", "mats"]),
        ("don't", ["don", "t"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("他没来", ["他没", "没来"]),
        ("我", ["我"]),
        ("订单4000已退款", ["订单", "4000", "已退", "退款"]),
        ("ไม่มา๕", ["ไม", "ม่", "่ม", "มา", "๕"]),
        ("cafe\u0301", ["café"]),
        ("😀 👩\u200d🔧 _ ", []),
        ("한국 말", ["한국", "말"]),
        ("a\u200bb", ["a", "b"]),
    ],
)
def test_words_of_many_scripts(text: str, tokens: list[str]) -> None:
    assert tokenise(text) == tokens


@pytest.mark.parametrize(
    ("character", "kind"),
    [
        (" ", "space"),
        ("\u3000", "space"),
        ("é", "word"),
        ("\u0301", "word"),
        ("７", "word"),
        ("๕", "word"),
        ("字", "spaceless"),
        ("々", "spaceless"),
        ("。", "other"),
        ("$", "other"),
    ],
)
def test_classes(character: str, kind: str) -> None:
    assert character_class(character) == kind


@given(st.text())
def test_runs_hold_the_whole_text(text: str) -> None:
    assert "".join(run for _, run in split_runs(text)) == unicodedata.normalize("NFC", text)


@given(st.text())
def test_every_letter_and_digit_is_in_some_token(text: str) -> None:
    wanted = {c for c in unicodedata.normalize("NFC", text) if c.isalnum()}
    assert wanted <= {c for token in tokenise(text) for c in token}
