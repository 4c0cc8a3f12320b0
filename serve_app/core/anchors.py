"""Anchors: the parts of a sentence that a summary may not lose.

Numbers, names, negations, and what is written with signs (emails, urls, ids, currencies, emoji).
When it is unsure whether something is an anchor, it is one: the price is a longer summary.
"""

# ruff: noqa: RUF001 - words and signs of other scripts are the very subject here.

import re
import unicodedata
from collections.abc import Iterable, Sequence

from serve_app.core.tokens import character_class, split_runs, tokenise

APOSTROPHES = frozenset("'’ʼ")
QUESTION_MARKS = frozenset("?？؟՞⸮")
EDGE_SIGNS = frozenset("#%‰@-−")
"""Punctuation that belongs to what it touches: `-5`, `40%`, `#12`, `@ann`."""

NEGATING_WORDS = """
    no not never none nobody nothing neither nor nowhere cannot cant dont wont without hardly barely
    rarely seldom unable unless except
    ne pas jamais rien aucun aucune sans ni non
    nicht nie niemals kein keine keinen keinem keiner keines nichts niemand ohne weder
    nunca jamás nada nadie ningún ninguno ninguna tampoco sin
    não nem ninguém nenhum nenhuma sem jamais
    mai niente nessuno nessuna nulla né senza mica
    niet nooit geen niets niemand zonder
    inte aldrig ingen inget inga ikke ingenting aldri ej uten uden utan
    ei emme ette eivät älä ilman eikä mitte mitteen
    nie nigdy nic nikt żaden bez není nikdy žádný nikdo nemá nincs nem soha nélkül niciodată
    fără nimic не нет ни никогда ничего никто без нельзя немає ні ніколи нема
    δεν μην όχι ποτέ χωρίς κανένας τίποτα
    değil yok hayır asla hiç
    tidak bukan jangan belum tanpa không chưa đừng wala hapana
    לא אין בלי מעולם לא אל
    لا لم لن ليس ليست ما غير بدون نه نیست هیچ نہیں
    नहीं नही मत ना बिना না নেই নয় இல்லை లేదు ಇಲ್ಲ ഇല്ല
    안 못
"""

NEGATIONS = frozenset(unicodedata.normalize("NFC", NEGATING_WORDS).split())
"""Words that turn a sentence round, case-folded; homographs of common words are left out."""

NEGATING_PARTS = re.compile(
    r"n['’ʼ]t\b|\bn['’ʼ]|"  # don't; n'est
    r"[不没沒無无未非別别勿莫否]|ない|ません|なかっ|ずに|"  # Chinese, Japanese
    r"않|없|아니|못하|ไม่|មិន|บໍ່|ບໍ່|မဟုတ်|မရှိ|"  # Korean, Thai, Khmer, Lao, Burmese
    r"نمی|"  # Persian
    r"m[ae]d[ıi](?:m|n|k|lar|ler|n[ıi]z)?\b|m[ıiuü]yor|m[ae]m[ıi]ş"  # Turkish endings
)
"""Negations that are not words of their own."""


def find_anchors(sentence: str, ordinary: frozenset[str]) -> frozenset[str]:
    """Every anchor of a sentence; `ordinary` comes from `ordinary_openers`."""
    tokens = tokenise(sentence)
    pieces = [_trim(stretch) for stretch in _stretches(sentence)]
    found = {piece for piece in pieces if _is_signed(piece)}
    # `3.5` carries no 3, nor Anne-Marie an Anne: only unsigned pieces are taken apart.
    words = [word for piece in pieces if not _is_signed(piece) for word in tokenise(piece)]
    words += [token for token in tokens if character_class(token[0]) == "spaceless"]
    found.update(word for word in words if _may_be_name(word))
    if tokens and tokens[0] in ordinary and tokens[0] not in tokens[1:]:
        found.discard(tokens[0])
    if QUESTION_MARKS & set(sentence):
        found.add("?")
    if is_negated(sentence, tokens):
        found.add("not: " + " ".join(token.casefold() for token in tokens))
    return frozenset(found)


def ordinary_openers(
    sentences: Iterable[Sequence[str]], stop_words: frozenset[str]
) -> frozenset[str]:
    """Capitalised words that only the start of a sentence explains; sentences are given as tokens.

    Such a word is a stop word, is seen uncapitalised, and never capitalised within a sentence.
    """
    openers: set[str] = set()
    inside: set[str] = set()
    seen: set[str] = set()
    for tokens in sentences:
        openers.update(tokens[:1])
        inside.update(tokens[1:])
        seen.update(tokens)
    return frozenset(
        word
        for word in openers - inside
        if word.casefold() in stop_words
        and word.casefold() in seen
        and word == word[0] + word[1:].lower()
    )


def is_negated(sentence: str, tokens: Sequence[str]) -> bool:
    """Whether the sentence denies something, in any language we know the words of."""
    if any(token.casefold() in NEGATIONS for token in tokens):
        return True
    return NEGATING_PARTS.search(unicodedata.normalize("NFC", sentence).casefold()) is not None


def _may_be_name(word: str) -> bool:
    """Whether it holds a capital, or is of a script that marks no names (Georgian is one)."""
    cased = [c for c in word if c.islower() or c.isupper() or c.istitle()]
    return any(not c.islower() for c in cased) or all("\u10d0" <= c <= "\u10ff" for c in cased)


def _stretches(sentence: str) -> list[str]:
    """What stands between spaces, without the words of spaceless scripts."""
    runs = split_runs(sentence)
    return "".join(run if kind in ("word", "other") else " " for kind, run in runs).split()


def _trim(stretch: str) -> str:
    """The stretch without the punctuation around it; signs stay."""
    start, end = 0, len(stretch)
    while start < end and _is_edge(stretch[start]):
        start += 1
    while end > start and _is_edge(stretch[end - 1]):
        end -= 1
    return stretch[start:end]


def _is_edge(character: str) -> bool:
    is_sign = unicodedata.category(character)[0] == "S" or character in EDGE_SIGNS
    return character_class(character) == "other" and not is_sign


def _is_signed(piece: str) -> bool:
    """Whether it holds a digit or a sign: `3.5`, `-40%`, `a@b.org`, `C++`, `AB-12`, an emoji."""
    return any(
        c.isnumeric() or (character_class(c) == "other" and c not in APOSTROPHES) for c in piece
    )
