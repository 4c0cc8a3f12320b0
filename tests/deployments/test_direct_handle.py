"""A handle that goes straight to the replicas that it knows, and through Serve otherwise."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest

from deployments.direct_handle import DirectHandle
from deployments.direct_server import Introduction
from deployments.remote_errors import call_until
from tests.deployments.direct_replica import Replica, until
from tests.fakes.meter import RecordingMeter

pytestmark = pytest.mark.usefixtures("on_loopback")


class Broadcast:
    """What `handle.broadcast(...)` gives: the answers of all replicas, or errors."""

    def __init__(self, replicas: list[Replica]) -> None:
        self._replicas = replicas

    async def results_async(self, **_: object) -> list[Any]:
        if not self._replicas:
            raise TimeoutError
        introductions = (replica.introduce() for replica in self._replicas)
        return [*await asyncio.gather(*introductions), RuntimeError("one that is broken")]


class ServeHandle:
    """A deployment's handle: Serve would pick the first replica."""

    def __init__(self, *replicas: Replica) -> None:
        self.replicas = list(replicas)
        self.served: list[str] = []
        self.looks = 0

    def broadcast(self, method: str) -> Broadcast:
        assert method == "introduce"
        self.looks += 1
        return Broadcast(self.replicas)

    def __getattr__(self, method: str) -> Any:
        outer = self

        class Method:
            async def remote(self, *arguments: Any) -> Any:
                outer.served.append(method)
                return await getattr(outer.replicas[0], method)(*arguments)

        return Method()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.direct_handle.LOOK_SECONDS", 0.001)


def open_handle(*replicas: Replica) -> tuple[DirectHandle, ServeHandle, RecordingMeter]:
    serve, meter = ServeHandle(*replicas), RecordingMeter()
    handle: Any = serve
    return DirectHandle(handle, "Embedding", meter), serve, meter


async def look_again(serve: ServeHandle) -> None:
    """Return when a whole look has been made from now on."""
    seen = serve.looks
    await until(lambda: serve.looks >= seen + 2)


async def test_the_first_call_goes_through_serve_and_the_next_straight() -> None:
    handle, serve, meter = open_handle(Replica())
    assert await handle.echo.remote(b"a", "b") == b"ab"
    await look_again(serve)
    assert await handle.echo.remote(b"c") == b"c"
    assert serve.served == ["echo"]
    for way in ("serve", "direct"):
        assert meter.total("remote_calls", deployment="Embedding", way=way) == 1


async def test_other_methods_go_through_serve() -> None:
    handle, serve, _ = open_handle(Replica())
    for _ in range(2):
        assert await handle.secret_method.remote() == b"never"
        await look_again(serve)
    assert serve.served == ["secret_method"] * 2


async def test_replicas_take_turns_and_the_busy_one_is_spared() -> None:
    one, other = Replica(), Replica()
    handle, serve, _ = open_handle(one, other)
    await handle.echo.remote(b"")
    await look_again(serve)
    one.calls = other.calls = 0
    for _ in range(6):
        await handle.echo.remote(b"")
    assert (one.calls, other.calls) == (3, 3)
    waiting = asyncio.create_task(call_until(lambda: handle.wait.remote(), 5))
    await until(lambda: one.began.is_set() or other.began.is_set())
    for _ in range(6):
        await handle.echo.remote(b"")
    assert sorted((one.calls, other.calls)) == [3, 9]
    one.go.set()
    other.go.set()
    assert await waiting == b"at last"


async def test_a_call_of_a_lost_replica_is_made_again_on_another() -> None:
    one, other = Replica(), Replica()
    handle, serve, _ = open_handle(one, other)
    await handle.echo.remote(b"")
    await look_again(serve)
    waiting = asyncio.create_task(call_until(lambda: handle.wait.remote(), 5))
    await until(lambda: one.began.is_set() or other.began.is_set())
    lost, left = (one, other) if one.began.is_set() else (other, one)
    serve.replicas.remove(lost)
    await lost.crash()
    left.go.set()
    assert await waiting == b"at last"
    assert serve.served == ["echo"]


async def test_who_serve_names_no_more_gets_no_more_calls() -> None:
    one, other = Replica(), Replica()
    handle, serve, _ = open_handle(one, other)
    await handle.echo.remote(b"")
    await look_again(serve)
    serve.replicas.remove(one)
    await look_again(serve)
    one.calls = 0
    for _ in range(4):
        await handle.echo.remote(b"")
    assert one.calls == 0
    await until(lambda: one._direct is not None and not one._direct.callers)


async def test_a_leaving_replica_is_not_asked_back(caplog: pytest.LogCaptureFixture) -> None:
    replica = Replica()
    handle, serve, _ = open_handle(replica)
    await handle.echo.remote(b"")
    await look_again(serve)
    await replica.leave()
    await look_again(serve)
    serve.served.clear()
    assert await handle.echo.remote(b"a") == b"a"
    assert serve.served == ["echo"]
    assert not caplog.records


async def test_an_unreachable_replica_is_told_once_and_served_by_serve(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = Replica()
    where = await replica.introduce_here()
    monkeypatch.setattr(replica, "introduce", lambda: _later(replace(where, port=1)))
    handle, serve, _ = open_handle(replica)
    for _ in range(3):
        assert await handle.echo.remote(b"a") == b"a"
        await look_again(serve)
    assert serve.served == ["echo"] * 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Embedding at 127.0.0.1:1 cannot be called directly" in caplog.text
    await replica.crash()


async def test_looks_go_on_while_serve_does_not_answer(caplog: pytest.LogCaptureFixture) -> None:
    replica = Replica()
    handle, serve, _ = open_handle(replica)
    serve.replicas.clear()
    handle_call: Any = handle.call
    with pytest.raises(IndexError):
        await handle_call("echo", (b"",))
    await look_again(serve)
    serve.replicas.append(replica)
    await look_again(serve)
    assert await handle.echo.remote(b"a") == b"a"
    assert serve.served == ["echo"]
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]


async def _later(where: Introduction) -> Introduction:
    return where
