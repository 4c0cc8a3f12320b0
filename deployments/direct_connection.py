"""The caller's end of a connection to another replica's own door (direct_server.py)."""

import asyncio
import itertools
import socket
from typing import Any

from deployments.direct_server import Introduction, pack_call
from deployments.frames import FrameProtocol, Kind
from deployments.remote_errors import ReplicaLost
from deployments.wire import unpack

CONNECT_SECONDS = 2.0

KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3))
"""Eleven seconds after a machine has gone without a word its calls are lost, not waited for."""

UNSENT_MILLISECONDS = 10_000
"""The same for what was written and never acknowledged (TCP_USER_TIMEOUT, RFC 5482)."""


class RemoteFault(RuntimeError):
    """A bug in the other replica, whose log tells more."""


class DirectConnection(FrameProtocol):
    """Many calls at once; all that wait get ReplicaLost when the connection ends."""

    def __init__(self, introduction: Introduction) -> None:
        super().__init__()
        self.introduction = introduction
        self.is_open = False
        self.is_leaving = False
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._numbers = itertools.count(1)
        self._welcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def in_flight(self) -> int:
        """Calls that wait for their answer."""
        return len(self._waiting)

    async def open(self) -> None:
        """Connect and show the secret; raises OSError or TimeoutError."""
        where = self.introduction
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            await loop.create_connection(lambda: self, where.host, where.port)
            self.send(Kind.HELLO, body=where.secret)
            await self._welcome

    async def call(self, method: str, arguments: tuple[Any, ...]) -> bytes:
        """What the method returns; raises what it raises, ReplicaLost, or RemoteFault."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.send(Kind.CALL, number, pack_call(method, arguments))
        try:
            return await answer
        except asyncio.CancelledError:
            self.send(Kind.CANCEL, number)
            raise
        finally:
            self._waiting.pop(number, None)
            self._close_when_done()

    def retire(self) -> None:
        """Take no more calls; close once those under way are answered."""
        self.is_open = False
        self._close_when_done()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        wire: socket.socket = transport.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEP_ALIVE:
            wire.setsockopt(socket.IPPROTO_TCP, option, value)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_MILLISECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        self.is_open = False
        if not self._welcome.done():
            self._welcome.set_exception(ConnectionRefusedError("the replica did not let us in"))
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ReplicaLost("a replica was lost; try again"))

    def take(self, kind: Kind, number: int, body: bytes) -> None:
        """See FrameProtocol."""
        if kind is Kind.WELCOME:
            self.is_open = True
            self._welcome.set_result(None)
        elif kind is Kind.LEAVING:
            self.is_leaving = True
            self.retire()
        elif (answer := self._waiting.get(number)) is not None and not answer.done():
            _settle(answer, kind, body)

    def _close_when_done(self) -> None:
        if not self.is_open and not self._waiting:
            self.close()


def _settle(answer: asyncio.Future[bytes], kind: Kind, body: bytes) -> None:
    if kind is Kind.ANSWER:
        answer.set_result(body)
    elif kind is Kind.ERROR:
        answer.set_exception(unpack(body))
    else:
        answer.set_exception(RemoteFault(body.decode(errors="replace")))
