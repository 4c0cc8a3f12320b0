"""Which caches and stores the settings open."""

import sys
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from deployments.world import open_limiter, share_vectors
from serve_app.core.errors import ConfigurationError
from serve_app.embedding.sharing import SharingEmbedder
from serve_app.settings import Settings
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.meter import RecordingMeter

MODEL = FakeEmbedder(Settings().stored_model)
OPENERS: dict[str, Callable[[Settings], object]] = {
    "embedding_cache_url": lambda settings: share_vectors(MODEL, settings, RecordingMeter()),
    "rate_limit_redis_url": lambda settings: open_limiter(None, settings, RecordingMeter()),
}


@pytest.mark.parametrize("url", [None, ""])
def test_without_an_address_the_embedder_is_left_as_it_is(url: str | None) -> None:
    settings = Settings(embedding_cache_url=url and SecretStr(url))
    assert share_vectors(MODEL, settings, RecordingMeter()) is MODEL


@pytest.mark.parametrize("url", ["redis://localhost", "rediss://:secret@cache:1/0", "unix:///x"])
def test_an_address_makes_replicas_share(url: str) -> None:
    settings = Settings(embedding_cache_url=SecretStr(url))
    assert isinstance(share_vectors(MODEL, settings, RecordingMeter()), SharingEmbedder)


@pytest.mark.parametrize("setting", OPENERS)
@pytest.mark.parametrize("url", ["memcached://secret@host", "redis://me:se/cret@host", "secret"])
def test_a_wrong_address_is_refused_without_telling_it(setting: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{setting} must begin with redis://") as refusal:
        OPENERS[setting](Settings(**{setting: SecretStr(url)}))
    assert "cret" not in str(refusal.value)


@pytest.mark.parametrize("setting", OPENERS)
def test_a_missing_package_is_named(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("serve_app.storage.redis_vectors", "serve_app.storage.redis_tokens"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ConfigurationError, match=rf"{setting}.*pip install 'fleetmem\[redis\]'"):
        OPENERS[setting](Settings(**{setting: SecretStr("redis://localhost")}))
