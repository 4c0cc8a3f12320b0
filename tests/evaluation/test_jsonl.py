import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.corpora import Corpus
from serve_app.evaluation.jsonl import load_lines

RAIN = {"id": "a", "content": "It rains.", "occurred_at": "2026-05-01T10:00:00Z", "session": 1}
SNOW = {"id": "b", "content": "It snows.", "occurred_at": "2026-05-03T12:00:00+02:00"}
ASKED = {"question": "What falls?", "relevant": ["a", "b"]}


def load(path: Path, *rows: dict[str, Any]) -> list[Corpus]:
    file = path / "weather.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    return load_lines(file)


def test_memories_and_questions_are_read(tmp_path: Path) -> None:
    [corpus] = load(tmp_path, RAIN, ASKED, SNOW)
    assert corpus.name == "weather all"
    assert [(item.id, item.session) for item in corpus.items] == [("a", "1"), ("b", None)]
    [question] = corpus.questions
    assert question.relevant == {"a": 1, "b": 1}
    assert question.as_of == datetime(2026, 5, 3, 10, tzinfo=UTC), "the last memory's time"


def test_questions_say_when_they_are_asked_and_whether_they_count(tmp_path: Path) -> None:
    asked = {**ASKED, "as_of": "2027-01-01T00:00:00Z", "category": "snow", "beside": True}
    [corpus] = load(tmp_path, RAIN, SNOW, asked)
    [question] = corpus.questions
    assert (question.as_of, question.category, question.beside) == (
        datetime(2027, 1, 1, tzinfo=UTC),
        "snow",
        True,
    )


def test_without_times_questions_are_asked_now(tmp_path: Path) -> None:
    [corpus] = load(tmp_path, RAIN, {"id": "b", "content": "It snows."}, ASKED)
    assert corpus.questions[0].as_of is None


def test_scopes_are_corpora_of_their_own(tmp_path: Path) -> None:
    mine, yours = ({**RAIN, "scope": name} for name in ("mine", "yours"))
    asked = {"question": "What falls?", "relevant": ["a"], "scope": "yours"}
    [corpus] = load(tmp_path, mine, yours, asked)
    assert (corpus.name, len(corpus.items)) == ("weather yours", 1)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"content": "no id"}, "line 2: 'id' is missing"),
        ({**RAIN, "id": "a"}, "line 2: the id 'a' is taken"),
        ({"question": "?", "relevant": ["z"]}, r"line 2: .*unknown here: \['z'\]"),
        ({"question": "?", "relevant": []}, "line 2: .*at least one"),
        ({"question": "?"}, "line 2: 'relevant' is missing"),
        ({**SNOW, "occurred_at": "2026-05-01T10:00:00"}, "line 2: .* no time zone"),
        ({**SNOW, "occurred_at": "yesterday"}, "line 2: Invalid isoformat"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, row: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        load(tmp_path, RAIN, row)
