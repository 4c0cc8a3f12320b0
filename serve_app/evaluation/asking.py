"""Load a corpus once, ask its questions under each profile, and keep what came back."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.progress import Progress

from serve_app.evaluation.client import MemoryClient, ReportProgress
from serve_app.evaluation.corpora import Corpus, Question
from serve_app.evaluation.profiles import Profile


@dataclass(frozen=True, slots=True)
class Manner:
    """How deep to ask, whether sessions are told, and whether the memories stay."""

    top_k: int
    sessions: bool
    keep: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """A question and the ids of the items found under each profile's label, best first."""

    question: Question
    ranked: dict[str, list[str]]


def ask_corpus(
    client: MemoryClient,
    user_id: str,
    corpus: Corpus,
    profiles: Sequence[Profile],
    manner: Manner,
    bar: Progress,
) -> list[Answered]:
    """Every question under every profile; the memories are deleted afterwards unless kept."""

    def follow(what: str, total: int) -> ReportProgress:
        task = bar.add_task(f"{corpus.name}: {what}", total=total)
        return partial(bar.advance, task)

    with ExitStack() as cleaning:
        stored = client.load(
            user_id, corpus.items, manner.sessions, follow("storing", len(corpus.items))
        )
        if not manner.keep:
            cleaning.callback(lambda: client.forget(list(stored), follow("deleting", len(stored))))
        answered = [Answered(question, {}) for question in corpus.questions]
        for profile in profiles:
            searches = [
                _write_search(question, profile, manner.top_k) for question in corpus.questions
            ]
            advance = follow(profile.label, len(searches))
            for answer, hits in zip(
                answered, client.search_all(user_id, searches, advance), strict=True
            ):
                answer.ranked[profile.label] = _name_hits(answer.question, hits, stored)
        return answered


def _write_search(question: Question, profile: Profile, top_k: int) -> dict[str, Any]:
    asked = {"query": question.text, "top_k": top_k, **profile.fields}
    if question.as_of and "as_of" not in asked:
        asked["as_of"] = question.as_of.isoformat()
    return asked


def _name_hits(
    question: Question, hits: Sequence[dict[str, Any]], stored: dict[str, str]
) -> list[str]:
    """The items of the hits; a memory that is none of ours counts as a wrong one.

    A corpus that asks with one of its own documents (BEIR's) does not want that one back.
    """
    found = [str(hit["id"]) for hit in hits]
    named = [stored.get(identifier, identifier) for identifier in found]
    return [name for name in named if name != question.id or name in question.relevant]
