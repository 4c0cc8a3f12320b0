import subprocess
from pathlib import Path

import pytest

from serve_app.local import postgres_binaries
from serve_app.local.postgres_binaries import Account, choose_account, find_binaries


class Outsider(Account):
    """An account that the virtual environment is closed to."""

    __slots__ = ()

    def may(self, flag: str, path: Path) -> bool:
        return False


def test_a_closed_environment_is_copied_once_and_its_copy_runs(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_binaries, "SYSTEM_DIRECTORY", open_directory)
    binaries = find_binaries(Outsider())
    assert open_directory in binaries.parents
    assert choose_account().may("-x", binaries / "postgres")
    said = subprocess.run(
        [binaries / "initdb", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert "PostgreSQL" in said
    assert find_binaries(Outsider()) == binaries
    assert len(list(open_directory.iterdir())) == 1
