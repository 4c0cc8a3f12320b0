"""Rules of folding: which sentences of many memories a summary must keep.

Nothing is rewritten. A sentence is left out only when every anchor of it (see anchors.py) is
carried by a sentence that stays; of the others the most typical ones stay, as memex chose them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from uuid import UUID

from serve_app.core.anchors import find_anchors, ordinary_openers
from serve_app.core.memory import Kind, Memory
from serve_app.core.tokens import tokenise

PREFIX = re.compile(r"\[Summary of (\d+) memories\] ")

DUPLICATE_JACCARD = 0.7
"""Token overlap from which two sentences may say the same (memex's value)."""


@dataclass(frozen=True, slots=True)
class SummaryRules:
    """When to fold and how much; the defaults are memex's."""

    threshold: int = 100
    batch_size: int = 50
    max_sentences: int = 5
    max_characters: int = 8000


@dataclass(frozen=True, slots=True)
class Source:
    """A memory that may be folded: its sentences in order, and its case-folded stop words."""

    memory: Memory
    sentences: tuple[str, ...]
    stop_words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Fold:
    """At least two memories, and the content of the summary that replaces them."""

    memories: tuple[Memory, ...]
    content: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with what is compared: its distinct words, those that count, its anchors."""

    text: str
    words: frozenset[str]
    content_words: frozenset[str]
    anchors: frozenset[str]


def strip_prefix(memory: Memory) -> str:
    """The content without what a summary begins with; any other memory's content as it is."""
    return PREFIX.sub("", memory.content, count=1) if memory.sources else memory.content


def count_leaves(memory: Memory) -> int:
    """How many memories a summary stands for, through all summaries below it; 1 for any other."""
    if not memory.sources:
        return 1
    prefix = PREFIX.match(memory.content)
    return int(prefix[1]) if prefix else len(memory.sources)


def plan_folds(sources: Sequence[Source], rules: SummaryRules) -> list[Fold]:
    """Consecutive groups of sources whose summary fits; a source that fits with none is left."""
    read = _read(sources)
    folds: list[Fold] = []
    start = 0
    while start < len(sources):
        size, content = _largest_group(sources, read, start, rules)
        if content is not None:
            group = sources[start : start + size]
            folds.append(Fold(tuple(source.memory for source in group), content))
        start += size
    return folds


def write_summary(fold: Fold, summary_id: UUID, now: datetime) -> Memory:
    """The summary as a memory: as important as its weightiest source, as recent as its newest."""
    return Memory(
        id=summary_id,
        scope=fold.memories[0].scope,
        content=fold.content,
        kind=Kind.SEMANTIC,
        importance=max(memory.importance for memory in fold.memories),
        created_at=now,
        occurred_at=max(memory.occurred_at for memory in fold.memories),
        updated_at=now,
        sources=tuple(memory.id for memory in fold.memories),
    )


def choose_sentences(distinct: Sequence[Sentence], max_sentences: int) -> list[Sentence]:
    """The most typical `max_sentences`, and whatever else carries an anchor that none of them does.

    In their original order. A sentence's score is the mean frequency of its content words.
    """
    frequency = Counter(word for sentence in distinct for word in sentence.content_words)
    order = sorted(range(len(distinct)), key=lambda index: -_score(distinct[index], frequency))
    kept = set(order[:max_sentences])
    carried = set(_union(distinct[index].anchors for index in kept))
    for index in sorted(order[max_sentences:], key=lambda index: -len(distinct[index].anchors)):
        if not distinct[index].anchors <= carried:
            kept.add(index)
            carried |= distinct[index].anchors
    return [distinct[index] for index in sorted(kept)]


def drop_duplicates(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Without those that repeat an earlier one: alike in words, and no anchor of their own.

    Two sentences that are alike share one of the rarest words of each (the prefix filter of
    Chaudhuri, Ganti, Kaushik: A Primitive Operator for Similarity Joins, 2006), so that only
    those are compared.
    """
    frequency = Counter(word for sentence in sentences for word in sentence.words)
    kept: list[Sentence] = []
    by_word: dict[str, list[Sentence]] = {}
    for sentence in sentences:
        rarest = _rarest_words(sentence, frequency)
        if not any(_repeats(sentence, other) for word in rarest for other in by_word.get(word, ())):
            kept.append(sentence)
            for word in rarest:
                by_word.setdefault(word, []).append(sentence)
    return kept


def _rarest_words(sentence: Sentence, frequency: Counter[str]) -> list[str]:
    """So many that whatever is alike holds one of them."""
    words = sorted(sentence.words, key=lambda word: (frequency[word], word))
    return words[: len(words) - ceil(DUPLICATE_JACCARD * len(words)) + 1]


def _repeats(sentence: Sentence, other: Sentence) -> bool:
    shared = len(sentence.words & other.words)
    union = len(sentence.words) + len(other.words) - shared
    return shared >= DUPLICATE_JACCARD * union and sentence.anchors <= other.anchors


def _score(sentence: Sentence, frequency: Counter[str]) -> float:
    words = sentence.content_words
    return sum(frequency[word] for word in words) / max(len(words), 1)


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*sets)


def _read(sources: Sequence[Source]) -> list[list[Sentence]]:
    """The sentences of each source, taken apart; visible text only."""
    texts = [[text.strip() for text in source.sentences if text.strip()] for source in sources]
    tokens = [[tokenise(text) for text in of_source] for of_source in texts]
    stop_words = _union(source.stop_words for source in sources)
    ordinary = ordinary_openers((words for group in tokens for words in group), stop_words)
    return [
        [
            _sentence(text, words, source.stop_words, ordinary)
            for text, words in zip(of_source, of_tokens, strict=True)
        ]
        for source, of_source, of_tokens in zip(sources, texts, tokens, strict=True)
    ]


def _sentence(
    text: str, tokens: Sequence[str], stop_words: frozenset[str], ordinary: frozenset[str]
) -> Sentence:
    words = frozenset(token.casefold() for token in tokens)
    return Sentence(text, words, words - stop_words, find_anchors(text, ordinary))


def _largest_group(
    sources: Sequence[Source], read: Sequence[Sequence[Sentence]], start: int, rules: SummaryRules
) -> tuple[int, str | None]:
    """How many sources from `start` fit into one summary, and its content; (1, None) if under two.

    Doubled while it fits, then bisected: more sources seldom need less room.
    """
    limit = min(rules.batch_size, len(sources) - start)
    fitting, failing, content = 1, limit + 1, None
    while fitting + 1 < failing:
        size = min(2 * fitting, (fitting + failing) // 2 if failing <= limit else limit)
        end = start + size
        written = _write(sources[start:end], read[start:end], rules)
        if written is None:
            failing = size
        else:
            fitting, content = size, written
    return fitting, content


def _write(
    sources: Sequence[Source], read: Sequence[Sequence[Sentence]], rules: SummaryRules
) -> str | None:
    """The content of the group's summary, with fewer typical sentences if that makes it fit."""
    leaves = sum(count_leaves(source.memory) for source in sources)
    distinct = drop_duplicates([sentence for of_source in read for sentence in of_source])
    for max_sentences in range(rules.max_sentences, 0, -1):
        # A line each, so that a sentence without a full stop is still one when it is folded again.
        text = "\n".join(s.text for s in choose_sentences(distinct, max_sentences))
        content = f"[Summary of {leaves} memories] {text}"
        if len(content) <= rules.max_characters:
            return content
    return None
