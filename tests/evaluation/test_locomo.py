from pathlib import Path

import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.locomo import load_conversations, parse_evidence, pick_conversations


def test_the_form_is_read(data: Path) -> None:
    (conversation,) = load_conversations(data)
    assert [item.text for item in conversation.items] == ["Ann: I paint", "Bob: See [image: a dog]"]
    assert [item.session for item in conversation.items] == ["session-1", "session-1"]
    last = conversation.items[1].occurred_at
    assert last is not None
    assert last.isoformat() == "2023-05-08T13:56:01+00:00"
    found, adversarial = conversation.questions
    assert (found.relevant, found.category, found.beside) == ({"D1:2": 1}, "4 single-hop", False)
    assert (found.answer, found.as_of) == ("3", last)
    assert (adversarial.category, adversarial.beside) == ("5 adversarial", True)


def test_evidence_is_read_however_it_is_written() -> None:
    items = ["D8:6; D9:17", "D:11:26", "D30:05", "D", "D9:17"]
    assert parse_evidence(items) == {"D8:6", "D9:17", "D11:26", "D30:5"}


def test_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"a": 1}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match="not in the form"):
        load_conversations(path)
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_conversations(tmp_path / "nowhere.json")


def test_numbers_and_categories_are_picked(data: Path) -> None:
    corpora = load_conversations(data)
    [picked] = pick_conversations(corpora * 2, [1], [5])
    assert [question.text for question in picked.questions] == ["Who?"]
    assert len(pick_conversations(corpora * 2, [], [])) == 2
    with pytest.raises(ConfigurationError, match="no conversation 3: take 0 to 1"):
        pick_conversations(corpora * 2, [3], [])
