"""The remote reranker keeps the contract of its port, over the real cross-encoder."""

from pathlib import Path
from typing import Any

import pytest

from deployments.remote_reranker import RemoteReranker
from deployments.wire import pack, unpack
from deployments.world import open_reranker as open_remote
from serve_app.core.errors import DeadlineExceeded, Overloaded, Unavailable
from serve_app.core.reranking import RerankQuestion
from serve_app.embedding.reranking import open_reranker
from serve_app.settings import Settings
from tests.contracts.reranker_contract import RerankerContract
from tests.deployments.test_handles import StubHandle
from tests.embedding.tiny_reranker import publish_reranker
from tests.fakes.meter import RecordingMeter

QUESTION = RerankQuestion("rain", ("rain", "sun"), 60.0)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder: Path = publish_reranker(tmp_path_factory.mktemp("reranker") / "tiny")
    return Settings(reranker_model=str(folder), rerank_deadline_seconds=30)


@pytest.fixture
def handle(settings: Settings) -> Any:
    encoder = open_reranker(settings, RecordingMeter())
    assert encoder is not None

    async def rerank(packed: bytes) -> bytes:
        return pack(await encoder.score_all(unpack(packed)))

    return StubHandle(rerank=rerank)


@pytest.fixture
def reranker(handle: Any, settings: Settings) -> RemoteReranker:
    remote = open_remote(handle, settings, RecordingMeter())
    assert remote is not None
    return remote


class TestRemoteReranker(RerankerContract):
    """A reranker over a handle."""


async def test_a_replica_that_was_lost_is_asked_again(
    reranker: RemoteReranker, handle: Any
) -> None:
    handle.rerank.losses = 1
    assert await reranker.score(QUESTION) == [1.0, 0.0]
    assert handle.rerank.calls == 2


@pytest.mark.parametrize("error", [Overloaded, Unavailable, DeadlineExceeded])
async def test_what_a_replica_refuses_is_unavailable(error: type[Unavailable]) -> None:
    async def rerank(packed: bytes) -> bytes:
        raise error("no")

    remote = RemoteReranker(StubHandle(rerank=rerank), RecordingMeter(), 30, 5.0)
    with pytest.raises(error):
        await remote.score(QUESTION)


def test_the_settings_say_how_much_it_is_given() -> None:
    meter = RecordingMeter()
    assert open_remote(None, Settings(), meter) is None
    settings = Settings(reranker_model="x", rerank_candidates=7, rerank_deadline_seconds=2.5)
    remote = open_remote(None, settings, meter)
    assert remote is not None
    assert (remote.candidates, remote.seconds) == (7, 2.5)
