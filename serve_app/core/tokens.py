"""Words of any script, as Unicode writes them (UAX 29 in spirit, without its dictionaries)."""

import unicodedata
from functools import lru_cache
from itertools import groupby

SPACELESS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x109F),  # Tibetan, Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # ideographic marks
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # small Katakana
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),  # Han
    (0xF900, 0xFAFF),  # Han, compatibility
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x20000, 0x3FFFF),  # Han, rare
)
"""Code points of scripts that put no space between words."""

JOINERS = "\u200c\u200d"
ZERO_WIDTH_SPACE = "\u200b"

Run = tuple[str, str]
"""A class ("space", "word", "spaceless", "other") and the characters of that class in a row."""


@lru_cache(maxsize=20_000)
def character_class(character: str) -> str:
    """What a character is to a tokeniser; marks belong to words, digits never to `spaceless`."""
    if character.isspace() or character == ZERO_WIDTH_SPACE:
        return "space"
    category = unicodedata.category(character)
    if category[0] not in "LMN" and character not in JOINERS and category != "Pc":
        return "other"
    if category[0] == "N":
        return "word"
    code = ord(character)
    return "spaceless" if any(low <= code <= high for low, high in SPACELESS) else "word"


def split_runs(text: str) -> list[Run]:
    """The text in NFC, cut wherever the class of its characters changes."""
    composed = unicodedata.normalize("NFC", text)
    return [(kind, "".join(run)) for kind, run in groupby(composed, character_class)]


def tokenise(text: str) -> list[str]:
    """The words as written, in order; a run of a spaceless script gives its bigrams."""
    tokens: list[str] = []
    for kind, run in split_runs(text):
        if kind == "spaceless":
            tokens.extend(_bigrams(run))
        elif kind == "word" and any(character.isalnum() for character in run):
            tokens.append(run)
    return tokens


def _bigrams(run: str) -> list[str]:
    """Every two neighbours; a lone character stands for itself."""
    return [run[start : start + 2] for start in range(max(len(run) - 1, 1))]
