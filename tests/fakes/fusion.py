"""Fused searches over everything a scope holds: what a pool can only come near to."""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from serve_app.core.fusion import Pool
from serve_app.core.memory import Memory
from serve_app.core.ranking import Candidate

WORD = re.compile(r"\w+")
K1, B = 0.9, 0.4


def words_of(text: str) -> Counter[str]:
    return Counter(word.casefold() for word in WORD.findall(text))


def score_words(contents: Sequence[str], question: str) -> list[float]:
    """BM25 as Lucene has it, of every content."""
    counted = [words_of(content) for content in contents]
    mean = sum(words.total() for words in counted) / len(counted)
    scores = [0.0] * len(counted)
    for word in words_of(question):
        holding = sum(word in words for words in counted)
        rarity = math.log(1 + (len(counted) - holding + 0.5) / (holding + 0.5))
        for place, words in enumerate(counted):
            length = 1 - B + B * words.total() / mean
            scores[place] += rarity * words[word] / (words[word] + K1 * length)
    return scores


def in_sessions(memories: Sequence[Memory]) -> list[Memory]:
    return sorted(memories, key=lambda m: (m.session_id or "", m.occurred_at, m.id))


def pool_of(
    candidates: Sequence[Candidate], active: Sequence[Memory], question: str, time_words: set[str]
) -> Pool:
    """A pool of all `candidates`, with the statistics of all `active` memories of the scope."""
    by_id = {candidate.memory.id: candidate for candidate in candidates}
    found = in_sessions([candidate.memory for candidate in candidates])
    points = score_words([memory.content for memory in active], question)
    words = {memory.id: score for memory, score in zip(active, points, strict=True)}
    count = len(found)
    return Pool(
        ids=[memory.id for memory in found],
        similarity=np.array([by_id[memory.id].similarity for memory in found]),
        words=np.array([words[memory.id] for memory in found]),
        best_words=max(points),
        occurred_at=np.array([memory.occurred_at.timestamp() for memory in found]),
        importance=np.array([memory.importance for memory in found]),
        sessions=[memory.session_id or "" for memory in found],
        before=np.minimum(np.arange(count), 1),
        after=np.minimum(np.arange(count)[::-1], 1),
        tells_time=np.array([bool(time_words & set(words_of(m.content))) for m in found]),
        spans=[by_id[memory.id].span for memory in found],
    )
