import io
from pathlib import Path

from rich.console import Console

from serve_app.evaluation.demo import run_demo
from tests.evaluation.service import Service


def test_a_demo_prints_hits_and_marks_evidence(data: Path, service: Service) -> None:
    printed = io.StringIO()
    run_demo(Console(file=printed, width=120), data, "http://service", None, 1)
    assert "* Bob: See [image: a dog]" in printed.getvalue()
    assert service.kept == {}
