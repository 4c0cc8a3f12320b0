"""What is stored and asked in an evaluation, whatever form it was read from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from serve_app.core.errors import ConfigurationError

LONGEST_MEMORY = 8000
LONGEST_QUESTION = 2000
"""Characters that the API takes."""


@dataclass(frozen=True, slots=True)
class Item:
    """A memory to store; `id` is its name in the corpus, not in the service."""

    id: str
    text: str
    occurred_at: datetime | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Asked of one corpus; `relevant` grades the items that answer it, from 1.

    `beside` ones are told by category and left out of the overall figures.
    """

    id: str
    text: str
    relevant: Mapping[str, int]
    category: str = "all"
    answer: str = ""
    as_of: datetime | None = None
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Corpus:
    """What one scope holds, in the order of its storing, and what is asked of it.

    `notes` say what was changed to fit the API.
    """

    name: str
    items: tuple[Item, ...]
    questions: tuple[Question, ...]
    notes: tuple[str, ...] = ()


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON-lines file with their line numbers; empty lines are passed over."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _read_object(line)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not a file of JSON lines: {error}") from error


def _read_object(line: str) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError(f"not an object: {line[:80]!r}")
    return value
