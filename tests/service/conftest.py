"""One service for all tests that leave it as they found it."""

import shutil
from collections.abc import Iterator

import pytest

from tests.service.running import RunningService, open_folder


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    folder = open_folder()
    running = RunningService(folder)
    running.start()
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)
