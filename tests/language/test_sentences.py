# ruff: noqa: RUF001 - sentences of many scripts are the very subject here.

import pytest
import sentencex
from hypothesis import given
from hypothesis import strategies as st

from serve_app.language.sentences import Sentences, guess_language

SPLITTER = Sentences()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Smith paid 3.5 euros.  He left!", ["Dr. Smith paid 3.5 euros.", "He left!"]),
        ("one line\nanother\r\n\r\n third ", ["one line", "another", "third"]),
        ("你好。再见。", ["你好。", "再见。"]),
        ("वह गया। वह आया।", ["वह गया।", "वह आया।"]),
        ("هل ذهبت؟ نعم.", ["هل ذهبت؟", "نعم."]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_sentences_of_many_languages(text: str, sentences: list[str]) -> None:
    assert SPLITTER.sentences(text) == sentences


odd = st.text(
    st.sampled_from("aB .!?\n\r\t。？๚\u200b\u2028\x0b\x1c\x85\xa0\u3000\"'()1।؟😀é’“”Dr한")
)


@given(st.text() | odd)
def test_no_visible_character_is_lost(text: str) -> None:
    assert "".join("".join(SPLITTER.sentences(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The order was sent to the customer.", "en"),
        ("El pedido fue enviado ayer a la casa", "es"),
        ("Der Hund ist nicht da", "de"),
        ("он не пришёл домой", "ru"),
        ("हिन्दी में नहीं है", "hi"),
        ("私は行かない", "ja"),
        ("他没有来", "zh"),
        ("그는 오지 않았다", "ko"),
        ("เขาไม่มา", "th"),
        ("გიორგი აქ არის", "ka"),
        ("4000", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_guessed(text: str, language: str) -> None:
    assert guess_language(text) == language


def test_stop_words_are_of_the_texts_language() -> None:
    assert "the" in SPLITTER.stop_words("The cat is in the house")
    assert "nicht" in SPLITTER.stop_words("Der Hund ist nicht da")
    assert SPLITTER.stop_words("გიორგი აქ არის") == frozenset()


class PanicException(BaseException):
    """Named as the one that Rust raises."""


def test_a_panic_makes_the_line_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(language: str, text: str) -> list[str]:
        raise PanicException(text)

    monkeypatch.setattr(sentencex, "segment", panic)
    assert SPLITTER.sentences("One. Two.\nThree.") == ["One. Two.", "Three."]


def test_an_interrupt_is_no_panic(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(language: str, text: str) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(sentencex, "segment", interrupt)
    with pytest.raises(KeyboardInterrupt):
        SPLITTER.sentences("One.")
