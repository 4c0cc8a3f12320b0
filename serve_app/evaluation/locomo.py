"""The LoCoMo form: conversations in dated sessions, and questions with the turns that answer them.

The form is that of snap-research/locomo (https://arxiv.org/abs/2402.17753).
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from serve_app.core.errors import ConfigurationError

EVIDENCE = re.compile(r"D:?(\d+):(\d+)")
SESSION = re.compile(r"session_(\d+)")
DATE_FORMAT = "%I:%M %p on %d %B, %Y"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said; `id` is (session, turn), both from 1."""

    id: tuple[int, int]
    text: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """Asked about a conversation; `evidence` are the turns that a good search finds."""

    text: str
    answer: str
    category: int
    evidence: frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns in the order of time; questions without known evidence are left out."""

    name: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]


def load_conversations(path: Path) -> list[Conversation]:
    """Every conversation of the file; raises ConfigurationError if it is not in LoCoMo's form."""
    try:
        samples = json.loads(path.read_text(encoding="utf-8"))
        return [_read_conversation(sample, number) for number, sample in enumerate(samples)]
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error}; name another --data") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path} is not in the form of LoCoMo: {error!r}") from error


def parse_evidence(items: list[str]) -> frozenset[tuple[int, int]]:
    """The turns that are named, however they are joined or padded."""
    pairs = (pair for item in items for pair in EVIDENCE.findall(item))
    return frozenset((int(session), int(turn)) for session, turn in pairs)


def _read_conversation(sample: dict[str, Any], number: int) -> Conversation:
    turns = _read_turns(sample["conversation"])
    known = {turn.id for turn in turns}
    questions = tuple(
        question for entry in sample["qa"] if (question := _read_question(entry, known)).evidence
    )
    return Conversation(str(sample.get("sample_id", number)), turns, questions)


def _read_turns(conversation: dict[str, Any]) -> tuple[Turn, ...]:
    numbers = sorted(int(m.group(1)) for key in conversation if (m := SESSION.fullmatch(key)))
    turns: list[Turn] = []
    for number in numbers:
        start = _parse_date(conversation[f"session_{number}_date_time"])
        for place, said in enumerate(conversation[f"session_{number}"]):
            (identity,) = parse_evidence([said["dia_id"]])
            # The form dates sessions only; a second apart keeps the turns in their order.
            turns.append(Turn(identity, _write_text(said), start + timedelta(seconds=place)))
    return tuple(turns)


def _write_text(said: dict[str, Any]) -> str:
    caption = said.get("blip_caption")
    image = f" [image: {caption}]" if caption else ""
    return f"{said['speaker']}: {said['text']}{image}"


def _parse_date(text: str) -> datetime:
    return datetime.strptime(text, DATE_FORMAT).replace(tzinfo=UTC)


def _read_question(entry: dict[str, Any], known: set[tuple[int, int]]) -> Question:
    return Question(
        text=entry["question"],
        answer=str(entry.get("answer", entry.get("adversarial_answer", ""))),
        category=int(entry["category"]),
        evidence=parse_evidence(entry["evidence"]) & known,
    )
