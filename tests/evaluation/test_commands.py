import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from rich.console import Console

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation import client, commands
from serve_app.evaluation.locomo import load_conversations, parse_evidence

SAMPLE = {
    "sample_id": "one",
    "conversation": {
        "speaker_a": "Ann",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ann", "dia_id": "D1:1", "text": "I paint"},
            {"speaker": "Bob", "dia_id": "D1:2", "text": "See", "blip_caption": "a dog"},
        ],
        "session_2_date_time": "1:00 am on 9 May, 2023",
    },
    "qa": [
        {"question": "What?", "answer": 3, "evidence": ["D1:2; D9:9"], "category": 4},
        {"question": "None?", "evidence": ["D9:9"], "category": 1},
    ],
}


class Service:
    """Stands in for the API: keeps what is stored and finds it in reverse."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = urlsplit(str(request.url)).path
        if request.method == "DELETE":
            self.kept.pop(path.rsplit("/", 1)[1])
            return httpx.Response(204)
        body = json.loads(request.content)
        if path.endswith("/batch"):
            return httpx.Response(200, json={"results": [self._store(m) for m in body["memories"]]})
        self.asked.append(body)
        weights = {"similarity": 0.5, "recency": 1.0, "importance": 0.5}
        hits = [
            {"id": key, "content": item["content"], "score": 0.5, "explanation": weights}
            for key, item in reversed(self.kept.items())
        ]
        return httpx.Response(200, json={"results": hits[: body["top_k"]]})

    def _store(self, item: dict[str, Any]) -> dict[str, Any]:
        key = str(len(self.kept))
        self.kept[key] = item
        return {"status": 201, "memory": {"id": key}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "sample.json"
    sample = json.loads(json.dumps(SAMPLE))
    del sample["conversation"]["session_2_date_time"]
    path.write_text(json.dumps([sample]), encoding="utf-8")
    return path


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service, real = Service(), httpx.Client
    transport = httpx.MockTransport(service)
    monkeypatch.setattr(
        client.httpx, "Client", lambda **options: real(transport=transport, **options)
    )
    return service


def test_the_form_is_read(data: Path) -> None:
    (conversation,) = load_conversations(data)
    assert [turn.text for turn in conversation.turns] == ["Ann: I paint", "Bob: See [image: a dog]"]
    assert conversation.turns[1].occurred_at.isoformat() == "2023-05-08T13:56:01+00:00"
    assert [question.evidence for question in conversation.questions] == [{(1, 2)}]


def test_evidence_is_read_however_it_is_written() -> None:
    assert parse_evidence(["D8:6; D9:17", "D:11:26", "D30:05", "D"]) == {
        (8, 6),
        (9, 17),
        (11, 26),
        (30, 5),
    }


def test_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"a": 1}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match="not in the form"):
        load_conversations(path)


def test_an_evaluation_scores_and_cleans_up(data: Path, service: Service, tmp_path: Path) -> None:
    options = commands.EvaluationOptions(data, alpha=1.0, output=tmp_path / "scores.json")
    summary = commands.run_eval(options, Console(file=io.StringIO()))
    assert summary["overall 1-4"] == {
        "n": 1, "recall@5": 1, "recall@10": 1, "recall@20": 1, "MRR": 1, "nDCG@10": 1,
    }  # fmt: skip
    assert service.kept == {}
    assert (service.asked[0]["alpha"], service.asked[0]["top_k"]) == (1.0, 20)
    assert service.asked[0]["as_of"] == "2023-05-08T13:56:01+00:00"
    assert json.loads((tmp_path / "scores.json").read_text())["scores"] == summary


def test_a_demo_prints_hits_and_marks_evidence(data: Path, service: Service) -> None:
    printed = io.StringIO()
    commands.run_demo(Console(file=printed, width=120), data)
    assert "* Bob: See [image: a dog]" in printed.getvalue()
    assert service.kept == {}
