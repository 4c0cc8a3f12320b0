import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import rules

ROOT = Path(__file__).parents[2]


def tracked(pattern: str = "*") -> list[str]:
    command = ["git", "ls-files", pattern]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


SOURCES = {name: read(name) for name in tracked("*.py") if not name.startswith("tests/")}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_import_contracts_hold() -> None:
    answer = lint_imports(ROOT)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("serve_app/core/text.py", "import serve_app.settings", "Arrows point down"),
        ("serve_app/api/memories.py", "import ray", "Only deployments know Ray"),
        ("serve_app/core/text.py", "import socket", "The core does no I/O"),
        ("serve_app/operations/read.py", "import serve_app.logs", "Operations reach the world"),
        ("serve_app/api/memories.py", "import asyncpg", "Only storage speaks to Postgres"),
    ],
)
def test_a_broken_import_is_seen(tmp_path: Path, file: str, line: str, contract: str) -> None:
    for package in ("serve_app", "deployments"):
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    answer = lint_imports(tmp_path)
    assert answer.returncode != 0
    broken = [row for row in answer.stdout.splitlines() if " BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), answer.stdout


def test_lengths() -> None:
    assert rules.too_long(SOURCES) == []


def test_parameters() -> None:
    assert [
        w for name, text in SOURCES.items() for w in rules.too_many_parameters(name, text)
    ] == []


def test_names() -> None:
    assert rules.empty_names(tracked()) == []


def test_docstrings() -> None:
    assert [w for name, text in SOURCES.items() for w in rules.undocumented(name, text)] == []


def test_no_address_of_a_machine() -> None:
    names = [name for name in tracked() if not name.startswith("tests/house/")]
    assert [w for name in names for w in rules.foreign_addresses(name, read(name))] == []


def test_each_rule_sees_what_breaks_it() -> None:
    long_function = "def f():\n" + "    1\n" * 40
    assert rules.too_long({"a.py": long_function}) == ["function a.py:f: 41", "median function: 41"]
    assert rules.too_long({"a.py": "1\n" * 301}) == ["file a.py: 301", "median file: 301"]
    assert rules.too_many_parameters("a.py", "def f(self, a, b, c, d, e, *, f): 1") == []
    assert rules.too_many_parameters("a.py", "def f(a, b, c, d, e, f, *, g): 1") == ["a.py:f"]
    assert rules.empty_names(["a/common/b.py", "a/text_utils.py", "a/based.py"]) == [
        "a/common/b.py",
        "a/text_utils.py",
    ]
    assert rules.undocumented("a.py", "class A:\n    def b(self): 1\n    def _c(self): 1") == [
        "a.py",
        "a.py:A",
        "a.py:b",
    ]
    assert rules.foreign_addresses("a", "see /work/x or http://h/simple/") != []
    assert rules.foreign_addresses("a", "see docs/work/x") == []
