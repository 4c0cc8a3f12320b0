import json
from pathlib import Path

import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.beir import load_beir

DOCUMENTS = [
    {"_id": "d1", "title": "Rain", "text": "It rains."},
    {"_id": "d2", "title": "", "text": "x" * 8001},
    {"_id": "d3", "text": " "},
]
QUERIES = [
    {"_id": "q1", "text": "Does it rain?"},
    {"_id": "q2", "text": "y" * 2001},
    {"_id": "q3", "text": "Nobody judged this."},
    {"_id": "q4", "text": "Nothing is relevant to this."},
]
GRADES = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td2\t1\nq4\td1\t0\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, rows in (("corpus", DOCUMENTS), ("queries", QUERIES)):
        lines = "\n".join(json.dumps(row) for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(GRADES, encoding="utf-8")
    return tmp_path


def test_the_form_is_read(directory: Path) -> None:
    corpus = load_beir(directory)
    assert corpus.name == directory.name
    assert [(item.id, len(item.text)) for item in corpus.items] == [("d1", 14), ("d2", 8000)]
    assert corpus.items[0].text == "Rain It rains."
    assert [(q.id, q.relevant) for q in corpus.questions] == [("q1", {"d1": 2}), ("q2", {"d2": 1})]
    assert len(corpus.questions[1].text) == 2000


def test_what_was_changed_is_counted(directory: Path) -> None:
    assert load_beir(directory).notes == (
        "1 documents were cut at 8,000 characters",
        "1 empty documents were left out",
        "1 questions were cut at 2,000 characters",
    )


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_named(directory: Path, name: str) -> None:
    (directory / name).unlink()
    with pytest.raises(ConfigurationError, match=f"cannot read .*{name}"):
        load_beir(directory)


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("corpus.jsonl", '{"id": "d1"}', "'_id'"),
        ("corpus.jsonl", "[1]", "not an object"),
        ("queries.jsonl", "{", "JSON lines"),
        ("qrels/test.tsv", "q1\td1\t1\n", "'score'"),
    ],
)
def test_another_form_is_refused(directory: Path, name: str, text: str, what: str) -> None:
    (directory / name).write_text(text + "\n" + text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=what):
        load_beir(directory)
