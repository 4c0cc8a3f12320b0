"""A replica with a door of its own, in this process."""

import asyncio
from collections.abc import Callable

from deployments.direct_server import DirectMethods, Introduction
from serve_app.core.errors import NotFound


class Replica(DirectMethods):
    """A deployment's class with methods that end in every way there is."""

    direct_methods = ("echo", "fail", "break_down", "wait")

    def __init__(self) -> None:
        self.calls = 0
        self.began, self.go, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def echo(self, packed: bytes, *others: str) -> bytes:
        self.calls += 1
        return packed + "".join(others).encode()

    async def fail(self) -> bytes:
        raise NotFound("no such memory")

    async def break_down(self) -> bytes:
        raise ZeroDivisionError("a bug")

    async def wait(self) -> bytes:
        self.began.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return b"at last"

    async def secret_method(self) -> bytes:
        return b"never"

    def __del__(self) -> None:
        """Nobody is here to await it."""

    async def introduce_here(self) -> Introduction:
        where = await self.introduce()
        assert where is not None
        return where

    async def crash(self) -> None:
        """End as a killed process does: the sockets close, and nobody says a word."""
        assert self._direct is not None
        assert self._direct._server is not None
        self._direct._server.close()
        for caller in list(self._direct.callers):
            assert caller._transport is not None
            caller._transport.abort()


async def until(condition: Callable[[], object]) -> None:
    """Return when `condition` holds, letting all else run."""
    while not condition():  # noqa: ASYNC110 - what it waits for are many things
        await asyncio.sleep(0.001)
