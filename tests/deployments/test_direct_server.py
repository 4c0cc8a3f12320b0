"""Calls past Serve, over real sockets: answers, errors, strangers, cancelling, leaving, losses."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from deployments import direct_server
from deployments.direct_connection import DirectConnection, RemoteFault
from deployments.direct_server import pack_call
from deployments.frames import HEAD, Kind
from deployments.remote_errors import ReplicaLost
from serve_app.core.errors import NotFound
from tests.deployments.direct_replica import Replica, until

pytestmark = pytest.mark.usefixtures("on_loopback")


@asynccontextmanager
async def connected() -> AsyncGenerator[tuple[Replica, DirectConnection]]:
    replica = Replica()
    connection = DirectConnection(await replica.introduce_here())
    await connection.open()
    yield replica, connection
    connection.retire()
    await replica.crash()


async def test_a_call_brings_its_answer() -> None:
    async with connected() as (_, connection):
        assert await connection.call("echo", (b"a", "b")) == b"ab"


async def test_large_bodies_cross() -> None:
    async with connected() as (_, connection):
        large = bytes(8 * 2**20)
        assert await connection.call("echo", (large,)) == large


async def test_concurrent_calls_get_their_own_answers() -> None:
    async with connected() as (_, connection):
        texts = [b"%d" % number for number in range(200)]
        answers = await asyncio.gather(*(connection.call("echo", (text,)) for text in texts))
        assert answers == texts
        assert connection.in_flight == 0


async def test_a_slow_call_holds_up_no_other() -> None:
    async with connected() as (replica, connection):
        slow = asyncio.create_task(connection.call("wait", ()))
        await replica.began.wait()
        assert replica.direct_calls_in_flight == 1
        assert await connection.call("echo", (b"quick",)) == b"quick"
        replica.go.set()
        assert await slow == b"at last"
        assert replica.direct_calls_in_flight == 0


async def test_errors_of_ours_cross_as_they_are() -> None:
    async with connected() as (_, connection):
        with pytest.raises(NotFound, match="no such memory"):
            await connection.call("fail", ())


@pytest.mark.parametrize("method", ["break_down", "secret_method", "__init__"])
async def test_a_bug_stays_a_bug_and_is_logged_where_it_is(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected() as (_, connection):
        with caplog.at_level(logging.ERROR, "fleetmem.direct"), pytest.raises(RemoteFault):
            await connection.call(method, ())
        assert "a direct call failed" in caplog.text


async def test_who_leaves_takes_the_work_along() -> None:
    async with connected() as (replica, connection):
        call = asyncio.create_task(connection.call("wait", ()))
        await replica.began.wait()
        call.cancel()
        await replica.cancelled.wait()
        assert connection.in_flight == 0


async def test_a_call_that_is_given_up_before_it_begins_leaves_nothing_behind() -> None:
    async with connected() as (replica, connection):
        body = pack_call("wait", ())
        assert connection._transport is not None
        connection._transport.write(
            HEAD.pack(len(body), 7, Kind.CALL) + body + HEAD.pack(0, 7, Kind.CANCEL)
        )
        assert await connection.call("echo", (b"next",)) == b"next"
        await until(lambda: replica.direct_calls_in_flight == 0)


async def test_a_lost_replica_loses_its_calls_and_no_more() -> None:
    async with connected() as (replica, connection):
        call = asyncio.create_task(connection.call("wait", ()))
        await replica.began.wait()
        await replica.crash()
        with pytest.raises(ReplicaLost):
            await call
        assert not connection.is_open


async def test_a_lost_caller_leaves_no_work_behind() -> None:
    async with connected() as (replica, connection):
        call = asyncio.create_task(connection.call("wait", ()))
        await replica.began.wait()
        connection.close()
        await replica.cancelled.wait()
        with pytest.raises(ReplicaLost):
            await call


async def test_a_leaving_replica_answers_first() -> None:
    async with connected() as (replica, connection):
        call = asyncio.create_task(connection.call("wait", ()))
        await replica.began.wait()
        leaving = asyncio.create_task(replica.leave())
        await until(lambda: not connection.is_open)
        assert not leaving.done()
        replica.go.set()
        assert await call == b"at last"
        await leaving
        with pytest.raises(OSError, match=r"refused|Connect"):
            await DirectConnection(connection.introduction).open()


async def test_a_leaving_replica_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(direct_server, "LEAVE_SECONDS", 0.01)
    async with connected() as (replica, connection):
        call = asyncio.create_task(connection.call("wait", ()))
        await replica.began.wait()
        await replica.leave()
        assert "left before 1 calls were answered" in caplog.text
        call.cancel()


@pytest.mark.parametrize(
    "hello",
    [
        HEAD.pack(32, 0, Kind.HELLO) + bytes(32),
        HEAD.pack(4, 0, Kind.HELLO) + b"open",
        HEAD.pack(2, 1, Kind.CALL) + b"hi",
        HEAD.pack(2**20, 1, Kind.CALL),
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
    ],
    ids=["wrong secret", "short secret", "a call", "a long call", "HTTP"],
)
async def test_a_stranger_is_shown_out_unheard(hello: bytes) -> None:
    replica = Replica()
    where = await replica.introduce_here()
    reader, writer = await asyncio.open_connection(where.host, where.port)
    writer.write(hello)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await reader.readexactly(1)
    assert replica.calls == 0
    writer.close()
    await replica.crash()


async def test_who_says_nothing_is_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_server, "HELLO_SECONDS", 0.01)
    replica = Replica()
    where = await replica.introduce_here()
    reader, writer = await asyncio.open_connection(where.host, where.port)
    assert await reader.read() == b""
    writer.close()
    await replica.crash()


async def test_a_caller_says_nothing_but_calls() -> None:
    async with connected() as (_, connection):
        connection.send(Kind.LEAVING)
        with pytest.raises(ReplicaLost):
            await connection.call("wait", ())


async def test_the_secret_is_in_no_text() -> None:
    replica = Replica()
    where = await replica.introduce_here()
    assert repr(where.secret)[2:-1] not in repr(where)
    assert (await replica.introduce_here()) == where
    await replica.crash()


async def test_no_introduction_where_ray_encrypts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USE_TLS", "1")
    replica = Replica()
    assert await replica.introduce() is None
    await replica.leave()
    assert replica.direct_calls_in_flight == 0
