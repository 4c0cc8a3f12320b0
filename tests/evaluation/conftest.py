import json
from pathlib import Path

import httpx
import pytest

from serve_app.evaluation import client
from tests.evaluation.service import Service

SAMPLE = {
    "sample_id": "one",
    "conversation": {
        "speaker_a": "Ann",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ann", "dia_id": "D1:1", "text": "I paint"},
            {"speaker": "Bob", "dia_id": "D1:2", "text": "See", "blip_caption": "a dog"},
        ],
        # A date without turns is no session.
    },
    "qa": [
        {"question": "What?", "answer": 3, "evidence": ["D1:2; D9:9"], "category": 4},
        {"question": "None?", "evidence": ["D9:9"], "category": 1},
        {"question": "Who?", "adversarial_answer": "x", "evidence": ["D1:1"], "category": 5},
    ],
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A small file in LoCoMo's form."""
    path = tmp_path / "sample.json"
    path.write_text(json.dumps([SAMPLE]), encoding="utf-8")
    return path


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """Whatever is asked over httpx goes to it."""
    service, real = Service(), httpx.Client
    transport = httpx.MockTransport(service)
    monkeypatch.setattr(
        client.httpx, "Client", lambda **options: real(transport=transport, **options)
    )
    return service
