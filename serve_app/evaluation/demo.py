"""A first look: one conversation, some questions, and what was found."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from serve_app.evaluation.client import open_client
from serve_app.evaluation.corpora import Question
from serve_app.evaluation.locomo import load_conversations, pick_conversations

HITS = 5
PROFILE = "conversation"


def run_demo(console: Console, data: Path, url: str, key: str | None, questions: int) -> None:
    """Load the first conversation of `data`, ask some questions, print the hits, clean up."""
    [conversation] = pick_conversations(load_conversations(data), [0], [])
    with open_client(url, key) as client, ExitStack() as cleaning:
        stored = client.load("demo", conversation.items, True, _pass_over)
        cleaning.callback(client.forget, list(stored), _pass_over)
        console.print(f"Stored {len(stored)} turns of conversation {conversation.name}.\n")
        asked = _spread(conversation.questions, questions)
        searches = [_write_search(question) for question in asked]
        for question, hits in zip(
            asked, client.search_all("demo", searches, _pass_over), strict=True
        ):
            evidence = {key for key, item in stored.items() if item in question.relevant}
            console.print(_show_hits(question, hits, evidence))


def _write_search(question: Question) -> dict[str, Any]:
    moment = {"as_of": question.as_of.isoformat()} if question.as_of else {}
    asked = {"query": question.text, "profile": PROFILE, "top_k": HITS, "explain": True}
    return asked | moment


def _pass_over(done: int) -> None:
    """A demo has no bar to advance."""


def _spread(questions: Sequence[Question], count: int) -> Sequence[Question]:
    """`count` questions from all over the list."""
    return questions[:: max(1, len(questions) // max(1, count))][:count]


def _show_hits(question: Question, hits: list[dict[str, Any]], evidence: set[str]) -> Table:
    """`around` is what neighbours, session and dates add to a score."""
    title = Text(f"{question.text}\nexpected: {question.answer}")
    table = Table(
        "score", "meaning", "words", "around", "memory", title=title, title_justify="left"
    )
    for hit in hits:
        parts = {name: part["weighted"] for name, part in hit["explanation"]["signals"].items()}
        meaning, words = parts["similarity"], parts["words"]
        figures = (hit["score"], meaning, words, sum(parts.values()) - meaning - words)
        content = Text(("* " if hit["id"] in evidence else "  ") + hit["content"])
        table.add_row(*(f"{figure:.2f}" for figure in figures), content)
    return table
