"""Sentences and stop words of many languages, by sentencex and stopwordsiso."""

from functools import cache

import sentencex
import stopwordsiso

from serve_app.core.tokens import tokenise

DEFAULT_LANGUAGE = "en"

SCRIPT_LANGUAGES = (
    ("ja", "\u3040", "\u30ff"),  # before Chinese: Japanese is written in Han, too
    ("zh", "\u4e00", "\u9fff"),
    ("ko", "\uac00", "\ud7a3"),
    ("th", "\u0e00", "\u0e7f"),
    ("my", "\u1000", "\u109f"),
    ("km", "\u1780", "\u17ff"),
    ("ka", "\u10d0", "\u10ff"),
    ("ta", "\u0b80", "\u0bff"),
    ("te", "\u0c00", "\u0c7f"),
    ("kn", "\u0c80", "\u0cff"),
    ("ml", "\u0d00", "\u0d7f"),
    ("gu", "\u0a80", "\u0aff"),
    ("pa", "\u0a00", "\u0a7f"),
)
"""Scripts that tell the language by themselves: code, first and last character."""

SCRIPT_SHARE = 0.2
"""Part of a text's letters from which its script decides."""


class Sentences:
    """Implements ports.SentenceSplitter."""

    def sentences(self, text: str) -> list[str]:
        """The sentences in order; a line break always ends one, and empty ones are left out."""
        language = guess_language(text)
        return [
            sentence.strip()
            for line in text.splitlines()
            for sentence in _segment(language, " ".join(line.split()))
            if sentence.strip()
        ]

    def stop_words(self, text: str) -> frozenset[str]:
        """Case-folded; empty for a language that stopwordsiso does not know."""
        return _stop_words().get(guess_language(text), frozenset())


def guess_language(text: str) -> str:
    """The ISO 639-1 code that a text's script or stop words suggest; English when nothing does."""
    letters = [character for character in text if character.isalpha()]
    for language, first, last in SCRIPT_LANGUAGES:
        if sum(first <= letter <= last for letter in letters) > SCRIPT_SHARE * len(letters):
            return language
    words = {token.casefold() for token in tokenise(text)}
    hits = {language: len(words & known) for language, known in _stop_words().items()}
    return max(hits, key=lambda language: (hits[language], language == DEFAULT_LANGUAGE, language))


@cache
def _stop_words() -> dict[str, frozenset[str]]:
    """By language; some 22,000 words, read once per process."""
    return {
        language: frozenset(word.casefold() for word in stopwordsiso.stopwords(language))
        for language in sorted(stopwordsiso.langs())
    }


def _segment(language: str, line: str) -> list[str]:
    """The line's sentences, the whole line when sentencex cannot take it apart."""
    try:
        return list(sentencex.segment(language, line))  # pyright: ignore  # compiled, no stubs
    except BaseException as panic:
        # A Rust panic is no Exception; one odd text must not end the process that folds.
        if type(panic).__name__ != "PanicException":
            raise
        return [line]
