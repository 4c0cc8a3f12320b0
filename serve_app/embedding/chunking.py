"""Cuts texts into what the model reads, so that the end of a long one can be found, too."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from serve_app.core.errors import InvalidInput

OVERLAP = 32
"""Tokens that a passage repeats of the one before it, and how far a cut looks for a good place."""

SENTENCE_ENDS = frozenset(".!?…。！？\n")  # noqa: RUF001  # full-width marks end sentences in CJK


@dataclass(frozen=True, slots=True)
class Passage:
    """The characters [start, end) of a text and their tokens with [CLS] and [SEP], int64."""

    start: int
    end: int
    token_ids: NDArray[np.int64]


class Chunker:
    """Tokenises without limit, then cuts at `max_tokens`, special tokens counted."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        self._tokenizer = tokenizer
        special = tokenizer.encode("").ids
        self._opening, self._closing = special[:1], special[1:]
        self._room = max_tokens - len(special)

    def cut_documents(self, texts: Sequence[str]) -> list[list[Passage] | InvalidInput]:
        """The passages of each text, at least one, which together hold all its characters."""
        return [self._cut_document(text) for text in texts]

    def cut_queries(self, texts: Sequence[str]) -> list[Passage | InvalidInput]:
        """Of each text the beginning that the model reads, as one passage."""
        return [self._cut_query(text) for text in texts]

    def _cut_document(self, text: str) -> list[Passage] | InvalidInput:
        encoding = self._encode(text)
        if isinstance(encoding, InvalidInput):
            return encoding
        ids, offsets = encoding.ids, encoding.offsets
        spans = divide(text, offsets, self._room)
        return [
            Passage(
                # Whatever the tokenizer dropped belongs to the passage before it.
                offsets[first][0] if first else 0,
                offsets[last][0] if last < len(ids) else len(text),
                self._enclose(ids[first:last]),
            )
            for first, last in spans
        ]

    def _cut_query(self, text: str) -> Passage | InvalidInput:
        encoding = self._encode(text)
        if isinstance(encoding, InvalidInput):
            return encoding
        last = min(len(encoding.ids), self._room)
        end = encoding.offsets[last][0] if last < len(encoding.ids) else len(text)
        return Passage(0, end, self._enclose(encoding.ids[:last]))

    def _encode(self, text: str) -> Encoding | InvalidInput:
        """The tokens without special ones; a lone surrogate is all that a tokenizer refuses."""
        try:
            # Only the batch call releases the interpreter lock.
            return self._tokenizer.encode_batch([text], add_special_tokens=False)[0]
        except TypeError:
            return InvalidInput("this is not valid Unicode text and cannot be embedded")

    def _enclose(self, ids: list[int]) -> NDArray[np.int64]:
        return np.array(self._opening + ids + self._closing, np.int64)


def divide(text: str, offsets: Sequence[tuple[int, int]], room: int) -> list[tuple[int, int]]:
    """Ranges of tokens [first, last), each of at most `room`, each OVERLAP into the one before.

    `offsets` are the characters [start, end) of each token. `room` is above 2 * OVERLAP.
    """
    spans: list[tuple[int, int]] = []
    first = 0
    while len(offsets) - first > room:
        last = _find_cut(text, offsets, first + room)
        spans.append((first, last))
        first = _find_word(offsets, last - OVERLAP, last - 1)
    return [*spans, (first, len(offsets))]


def _find_cut(text: str, offsets: Sequence[tuple[int, int]], limit: int) -> int:
    """The last token before `limit` that begins a sentence, or else a word, or else `limit`."""
    near = range(limit, limit - OVERLAP, -1)
    for index in near:
        if SENTENCE_ENDS & set(text[offsets[index - 1][1] - 1 : offsets[index][0]]):
            return index
    return next((index for index in near if _begins_word(offsets, index)), limit)


def _find_word(offsets: Sequence[tuple[int, int]], first: int, limit: int) -> int:
    """The first token from `first` up to `limit` that begins a word, or else `first`."""
    return next((index for index in range(first, limit) if _begins_word(offsets, index)), first)


def _begins_word(offsets: Sequence[tuple[int, int]], index: int) -> bool:
    return offsets[index][0] > offsets[index - 1][1]
