"""The real model, prepared once for all runs and loaded once for this one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.embedding.engine import Engine
from serve_app.embedding.preparation import prepare_model
from serve_app.embedding.registry import MINILM, MINILM_INT8
from serve_app.settings import Settings
from tests.fakes.meter import RecordingMeter


@pytest.fixture(scope="session")
def model_directory() -> Path:
    directory = Settings().model_directory.expanduser()
    prepare_model(MINILM, directory, lambda line: None)
    return directory


@pytest.fixture(scope="session")
def engine(model_directory: Path) -> Engine:
    return Engine(MINILM, model_directory, threads=1)


@pytest.fixture(scope="session")
def int8_engine(model_directory: Path) -> Engine:
    prepare_model(MINILM_INT8, model_directory, lambda line: None)
    return Engine(MINILM_INT8, model_directory, threads=1)


@pytest.fixture
def meter() -> RecordingMeter:
    return RecordingMeter()


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Emptied afterwards: a prepared model takes 90 MB, and pytest keeps three runs of them."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)
