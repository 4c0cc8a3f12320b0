"""The command line as a user meets it: in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from serve_app import cli
from serve_app.local.serving import free_ports
from serve_app.settings import Settings
from tests.embedding.tiny_reranker import publish_reranker


def fleetmem(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "serve_app", *arguments],
        env={**os.environ, "FLEETMEM_DATABASE_URL": "", "NO_COLOR": "1", "COLUMNS": "200"}
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        *((), ("up",), ("migrate",), ("index",), ("model", "prepare"), ("eval", "locomo")),
        *(
            ("demo",),
            ("tenant", "create"),
            ("tenant", "limits"),
            ("key", "create"),
            ("key", "import"),
        ),
    ],
)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    answer = fleetmem(*command, "--help")
    assert answer.returncode == 0
    assert "Usage" in answer.stdout
    if command:
        assert "Example: fleetmem" in answer.stdout


def test_migrate_twice_says_what_it_did(empty_dsn: str) -> None:
    first = fleetmem("migrate", "--database-url", empty_dsn)
    assert (first.returncode, "Applied 0001" in first.stderr) == (0, True), first.stderr
    second = fleetmem("migrate", FLEETMEM_DATABASE_URL=empty_dsn)
    assert "up to date" in second.stderr


def test_migrate_stamps_the_model(fresh_dsn: str) -> None:
    stamped = fleetmem("migrate", "--database-url", fresh_dsn)
    assert "all-MiniLM-L6-v2 (384 dimensions)" in stamped.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("migrate",), "--database-url or FLEETMEM_DATABASE_URL"),
        (("index", "--to", "btree"), "take ivfflat or hnsw"),
        (("migrate", "--database-url", "postgresql://nobody@127.0.0.1:1/x"), "database"),
        (("model", "prepare", "nobody/knows"), "all-MiniLM-L6-v2"),
        (("up", "--config", "/nowhere.yaml"), "/nowhere.yaml"),
        (("demo", "--data", "/nowhere.json"), "/nowhere.json"),
    ],
)
def test_a_failure_is_one_line_that_says_what_to_do(arguments: tuple[str, ...], words: str) -> None:
    answer = fleetmem(*arguments)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert re.search(words, answer.stderr), answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_reranker_in_a_folder_is_tried_where_it_lies(tmp_path: Path) -> None:
    folder = publish_reranker(tmp_path / "mine")
    answer = fleetmem("model", "prepare", str(folder))
    assert answer.returncode == 0, answer.stderr
    assert f"reranker {folder} is ready" in answer.stderr


def test_without_a_key_only_this_machine_is_served(fresh_dsn: str, tmp_path: Path) -> None:
    [port] = free_ports(1)
    where = ("--host", "0.0.0.0", "--port", str(port), "--data-dir", str(tmp_path))
    answer = fleetmem("up", *where, "--database-url", fresh_dsn)
    assert answer.returncode == 1
    assert "fleetmem key create --operator" in answer.stderr
    assert "--insecure-open" in answer.stderr
    assert "Starting Ray" not in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "needs_key", "allowed", "said"),
    [
        ((), False, False, "open to every account of this machine"),
        ((), True, False, "every request needs one"),
        (("--host", "0.0.0.0", "--insecure-open"), False, True, "open to EVERYBODY"),
    ],
)
def test_a_start_says_who_is_let_in(
    arguments: tuple[str, ...],
    needs_key: bool,
    allowed: bool,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: list[Settings] = []

    def run(where: object, settings: Settings, say: object, ready: Callable[[bool], None]) -> int:
        seen.append(settings)
        ready(needs_key)
        return 0

    monkeypatch.setattr("serve_app.local.up.run", run)
    monkeypatch.setenv("FLEETMEM_INSECURE_OPEN", "0")
    monkeypatch.setattr(cli, "console", Console(width=200))
    with pytest.raises(SystemExit):
        cli.app(["up", *arguments])
    assert [settings.insecure_open for settings in seen] == [allowed]
    assert said in capsys.readouterr().out
