"""The BEIR form: corpus.jsonl, queries.jsonl, qrels/test.tsv (https://arxiv.org/abs/2104.08663)."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.corpora import (
    LONGEST_MEMORY,
    LONGEST_QUESTION,
    Corpus,
    Item,
    Question,
    read_lines,
)

Grades = dict[str, dict[str, int]]
"""By the id of a question: the grade of each of its relevant documents."""


def load_beir(directory: Path, split: str = "test") -> Corpus:
    """The judged questions of a split and all documents, title before text.

    What is longer than the API takes is cut, and empty documents are left out; the notes say how
    many. Raises ConfigurationError if a file is missing or in another form.
    """
    try:
        grades = _read_grades(directory / "qrels" / f"{split}.tsv")
        documents = _read_texts(directory / "corpus.jsonl")
        asked = _read_texts(directory / "queries.jsonl")
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"{directory} is not in the form of BEIR: {error!r}") from error
    judged = {id: text for id, text in asked.items() if text and grades.get(id)}
    questions = [Question(id, text[:LONGEST_QUESTION], grades[id]) for id, text in judged.items()]
    notes = {
        "documents were cut at 8,000 characters": _count_long(documents, LONGEST_MEMORY),
        "empty documents were left out": sum(not text for text in documents.values()),
        "questions were cut at 2,000 characters": _count_long(judged, LONGEST_QUESTION),
    }
    return Corpus(
        name=directory.resolve().name,
        items=tuple(Item(id, text[:LONGEST_MEMORY]) for id, text in documents.items() if text),
        questions=tuple(questions),
        notes=tuple(f"{count:,} {what}" for what, count in notes.items() if count),
    )


def _read_texts(path: Path) -> dict[str, str]:
    return {str(row["_id"]): _write_text(row) for _, row in read_lines(path)}


def _write_text(row: dict[str, Any]) -> str:
    return f"{row.get('title') or ''} {row['text']}".strip()


def _read_grades(path: Path) -> Grades:
    grades: Grades = defaultdict(dict)
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
                if (grade := int(row["score"])) > 0:
                    grades[row["query-id"]][row["corpus-id"]] = grade
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
    return grades


def _count_long(texts: dict[str, str], longest: int) -> int:
    return sum(len(text) > longest for text in texts.values())
