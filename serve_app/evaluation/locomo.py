"""The LoCoMo form: conversations in dated sessions, and questions with the turns that answer them.

The form is that of snap-research/locomo (https://arxiv.org/abs/2402.17753).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.corpora import Corpus, Item, Question

EVIDENCE = re.compile(r"D:?(\d+):(\d+)")
SESSION = re.compile(r"session_(\d+)")
DATE_FORMAT = "%I:%M %p on %d %B, %Y"

ADVERSARIAL = 5
NAMES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}


def load_conversations(path: Path) -> list[Corpus]:
    """Every conversation of the file, a corpus each; questions without known evidence are left out.

    Raises ConfigurationError if the file is not in LoCoMo's form.
    """
    try:
        samples = json.loads(path.read_text(encoding="utf-8"))
        return [_read_conversation(sample, number) for number, sample in enumerate(samples)]
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error}; name another --data") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path} is not in the form of LoCoMo: {error!r}") from error


def pick_conversations(
    corpora: Sequence[Corpus], numbers: Sequence[int], categories: Sequence[int]
) -> list[Corpus]:
    """Those of these numbers, from 0, with questions of these categories; empty stands for all."""
    for number in numbers:
        if not 0 <= number < len(corpora):
            raise ConfigurationError(
                f"there is no conversation {number}: take 0 to {len(corpora) - 1}"
            )
    picked = [corpora[number] for number in numbers] if numbers else corpora
    names = [_name_category(category) for category in categories or NAMES]
    return [
        replace(corpus, questions=tuple(q for q in corpus.questions if q.category in names))
        for corpus in picked
    ]


def parse_evidence(items: list[str]) -> frozenset[str]:
    """The turns that are named, as `D<session>:<turn>`, however they are joined or padded."""
    pairs = (pair for item in items for pair in EVIDENCE.findall(item))
    return frozenset(f"D{int(session)}:{int(turn)}" for session, turn in pairs)


def _read_conversation(sample: dict[str, Any], number: int) -> Corpus:
    turns = _read_turns(sample["conversation"])
    known = {turn.id for turn in turns}
    last = turns[-1].occurred_at
    questions = [
        _read_question(entry, place, known, last) for place, entry in enumerate(sample["qa"])
    ]
    name = str(sample.get("sample_id", number))
    return Corpus(name, turns, tuple(question for question in questions if question.relevant))


def _read_turns(conversation: dict[str, Any]) -> tuple[Item, ...]:
    numbers = sorted(int(m.group(1)) for key in conversation if (m := SESSION.fullmatch(key)))
    turns: list[Item] = []
    for number in numbers:
        start = _parse_date(conversation[f"session_{number}_date_time"])
        for place, said in enumerate(conversation[f"session_{number}"]):
            (identity,) = parse_evidence([said["dia_id"]])
            # The form dates sessions only; a second apart keeps the turns in their order.
            moment = start + timedelta(seconds=place)
            turns.append(Item(identity, _write_text(said), moment, f"session-{number}"))
    return tuple(turns)


def _write_text(said: dict[str, Any]) -> str:
    caption = said.get("blip_caption")
    image = f" [image: {caption}]" if caption else ""
    return f"{said['speaker']}: {said['text']}{image}"


def _parse_date(text: str) -> datetime:
    return datetime.strptime(text, DATE_FORMAT).replace(tzinfo=UTC)


def _name_category(category: int) -> str:
    return f"{category} {NAMES.get(category, 'other')}"


def _read_question(
    entry: dict[str, Any], place: int, known: set[str], last: datetime | None
) -> Question:
    category = int(entry["category"])
    return Question(
        id=str(place),
        text=entry["question"],
        relevant=dict.fromkeys(parse_evidence(entry["evidence"]) & known, 1),
        category=_name_category(category),
        answer=str(entry.get("answer", entry.get("adversarial_answer", ""))),
        as_of=last,
        beside=category == ADVERSARIAL,
    )
