"""One service for all tests that leave it as they found it."""

import shutil
from collections.abc import Iterator

import pytest

from tests.embedding.tiny_reranker import publish_reranker
from tests.service.running import RunningService, open_folder


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    folder = open_folder()
    reranker = publish_reranker(folder / "reranker")
    # Long, for a busy machine: what becomes of a short one is tested elsewhere.
    running = RunningService(
        folder,
        FLEETMEM_RERANKER_MODEL=str(reranker),
        FLEETMEM_RERANK_DEADLINE_SECONDS="10",
    )
    running.start()
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)
