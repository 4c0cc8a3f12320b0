import io
from pathlib import Path

from rich.console import Console

from serve_app.evaluation.demo import run_demo
from tests.evaluation.service import Service


def test_a_demo_prints_hits_and_marks_evidence(data: Path, service: Service) -> None:
    printed = io.StringIO()
    run_demo(Console(file=printed, width=120), data, "http://service", None, 1)
    assert "* Bob: See [image: a dog]" in printed.getvalue()
    # Five signals add 0.25 each in this service.
    assert "│ 0.50  │ 0.25    │ 0.25  │ 0.75   │" in printed.getvalue()
    assert {asked["profile"] for asked in service.asked} == {"conversation"}
    assert service.kept == {}
