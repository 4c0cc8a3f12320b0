"""The command line reaches the evaluation with what it was given."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serve_app.cli import app
from tests.evaluation.service import Service

RUNNER = CliRunner()


def call(*words: str) -> str:
    answer = RUNNER.invoke(app, words, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_locomo(data: Path, service: Service, tmp_path: Path) -> None:
    output = tmp_path / "scores.json"
    options = ["--profile", "decay", "--profile", "hybrid", "--alpha", "1", "--category", "4"]
    call("eval", "locomo", "--data", str(data), *options, "--no-sessions", "--output", str(output))
    written = json.loads(output.read_text())
    assert (written["questions"], written["sessions"]) == (1, False)
    assert written["asked"]["decay:alpha=1"] == {"profile": "decay", "alpha": 1.0}
    assert [asked["profile"] for asked in service.asked] == ["decay", "hybrid"]


def test_beir(service: Service, tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "title": "", "text": "It rains."}')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "Rain?"}')
    (tmp_path / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    assert "overall" in call("eval", "beir", str(tmp_path), "--split", "dev")
    assert service.asked[0]["profile"] == "decay", "as the service ranks by itself"


def test_jsonl(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETMEM_API_KEY", "secret")
    files = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for file in files:
        file.write_text(
            '{"id": "a", "content": "It rains."}\n{"question": "Rain?", "relevant": ["a"]}\n'
        )
    call("eval", "jsonl", *map(str, files), "--url", "http://service")
    assert len(service.stored) == 2
    assert {request.headers["Authorization"] for request in service.requests} == {"Bearer secret"}


def test_demo(data: Path, service: Service) -> None:
    assert "Stored 2 turns" in call("demo", "--data", str(data), "--questions", "1")
