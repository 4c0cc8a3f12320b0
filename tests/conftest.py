"""What tests of every layer share: one real Postgres for the whole run."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ in speed; a slow example is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """An empty folder that the account of the server can enter; pytest's own are closed."""
    directory = Path(tempfile.mkdtemp(prefix="fleetmem-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)
