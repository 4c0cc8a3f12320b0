"""Our own form: JSON lines, each a memory or a question (docs/quality.md describes it)."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.corpora import Corpus, Item, Question, read_lines

EVERYBODY = "all"
"""The scope of lines that name none."""


def load_lines(path: Path) -> list[Corpus]:
    """A corpus for each scope that the file names; raises ConfigurationError with the line."""
    items: dict[str, dict[str, Item]] = defaultdict(dict)
    questions: dict[str, list[Question]] = defaultdict(list)
    for number, row in read_lines(path):
        scope = str(row.get("scope", EVERYBODY))
        try:
            if "question" in row:
                questions[scope].append(_read_question(row, f"line {number}"))
            else:
                _add(items[scope], _read_item(row))
        except (KeyError, ValueError, TypeError) as error:
            raise ConfigurationError(f"{path}, line {number}: {_explain(error)}") from error
    return [
        _join(f"{path.stem} {scope}", items[scope], asked) for scope, asked in questions.items()
    ]


def _read_item(row: dict[str, Any]) -> Item:
    session = row.get("session")
    return Item(
        id=str(row["id"]),
        text=str(row["content"]),
        occurred_at=_read_moment(row.get("occurred_at")),
        session=None if session is None else str(session),
    )


def _read_question(row: dict[str, Any], place: str) -> Question:
    return Question(
        id=place,
        text=str(row["question"]),
        relevant={str(id): 1 for id in row["relevant"]},
        category=str(row.get("category", "all")),
        answer=str(row.get("answer", "")),
        as_of=_read_moment(row.get("as_of")),
        beside=bool(row.get("beside", False)),
    )


def _add(items: dict[str, Item], item: Item) -> None:
    if item.id in items:
        raise ValueError(f"the id {item.id!r} is taken by an earlier line")
    items[item.id] = item


def _join(name: str, items: dict[str, Item], questions: list[Question]) -> Corpus:
    for question in questions:
        missing = [id for id in question.relevant if id not in items]
        if missing or not question.relevant:
            raise ConfigurationError(
                f"{name}, {question.id}: `relevant` names ids of memories in its scope, "
                f"at least one; unknown here: {missing}"
            )
    # Where every memory has its time, questions are asked as of the last one unless they say.
    times = [item.occurred_at for item in items.values()]
    last = max((moment for moment in times if moment), default=None) if all(times) else None
    asked = tuple(replace(question, as_of=question.as_of or last) for question in questions)
    return Corpus(name, tuple(items.values()), asked)


def _read_moment(text: str | None) -> datetime | None:
    moment = None if text is None else datetime.fromisoformat(text)
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone: add Z or +02:00")
    return moment


def _explain(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
