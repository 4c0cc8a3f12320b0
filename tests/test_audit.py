"""What scripts/audit makes of pip-audit's answers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPORT = Path(__file__).parents[1] / "scripts" / "audit_report.py"
CLEAN = {"name": "clean", "version": "1", "vulns": []}
WORSE = {"name": "worse", "version": "2", "vulns": [{"id": "PYSEC-1"}]}
UNSEEN = {"name": "unseen", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("pins", "status", "words"),
    [
        ([CLEAN, CLEAN], 0, "2 of 2 pins compared; 0 vulnerable"),
        ([CLEAN, WORSE], 1, "worse 2: PYSEC-1"),
        ([CLEAN, UNSEEN], 2, "1 of 2 pins compared; 0 vulnerable; not compared: unseen"),
        ([], 2, "0 of 0 pins compared"),
    ],
)
def test_only_what_was_compared_counts(pins: list[object], status: int, words: str):
    told = judge(json.dumps({"dependencies": pins}))
    assert (told.returncode, words in told.stdout) == (status, True), told.stdout


def test_an_audit_that_broke_off_is_none():
    told = judge("")
    assert (told.returncode, "NOTHING was audited" in told.stdout) == (2, True)


def judge(said: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, REPORT], input=said, capture_output=True, text=True)
