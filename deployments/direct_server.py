"""A replica's own door for its busiest methods, past Serve's work for each call (docs/adr/0024).

Who wants in asks for an introduction through Serve first: it holds the address, and a secret
without which nothing that is sent is unpickled.
"""

import asyncio
import hmac
import logging
import os
import pickle
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import ray.util

from deployments.frames import FrameProtocol, Kind
from deployments.wire import pack, unpack
from serve_app.core.errors import FleetmemError

SECRET_BYTES = 32

HELLO_SECONDS = 5.0
"""Who has not shown the secret by then is disconnected."""

LEAVE_SECONDS = 2.5
"""Of the five that a replica has to end, after the two in which Serve waits."""

Method = Callable[..., Awaitable[bytes]]

log = logging.getLogger("fleetmem.direct")


@dataclass(frozen=True, slots=True)
class Introduction:
    """Where a replica may be called, which methods it has there, and the secret that opens."""

    host: str
    port: int
    methods: tuple[str, ...]
    secret: bytes = field(repr=False)


class DirectServer:
    """Listens from its first introduction on. Methods take and return bytes and plain values."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self.methods = methods
        self.secret = secrets.token_bytes(SECRET_BYTES)
        self.callers: set[_Caller] = set()
        self._server: asyncio.Server | None = None
        self._opening = asyncio.Lock()
        self._is_leaving = False

    @property
    def calls_in_flight(self) -> int:
        """Calls that came this way and are not answered yet."""
        # A copy: Serve asks from another thread.
        return sum(len(caller.tasks) for caller in list(self.callers))

    async def introduce(self) -> Introduction | None:
        """How to call this replica; None at its end, and where Ray encrypts what processes say."""
        if self._is_leaving or os.environ.get("RAY_USE_TLS", "0").lower() in {"1", "true"}:
            return None
        # The node's address: on a laptop that is loopback.
        host = ray.util.get_node_ip_address()
        async with self._opening:
            if self._server is None:
                loop = asyncio.get_running_loop()
                self._server = await loop.create_server(lambda: _Caller(self), host, 0)
        port = self._server.sockets[0].getsockname()[1]
        return Introduction(host, port, tuple(self.methods), self.secret)

    async def leave(self) -> None:
        """Let nobody else in, and wait until all have their answers and have gone."""
        self._is_leaving = True
        if self._server is None:
            return
        self._server.close()
        for caller in self.callers:
            caller.send(Kind.LEAVING)
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await asyncio.gather(*(caller.gone.wait() for caller in self.callers))
        except TimeoutError:
            log.warning("left before %d calls were answered", self.calls_in_flight)


class DirectMethods:
    """Gives a deployment's class a door of its own for the methods that it names."""

    direct_methods: ClassVar[tuple[str, ...]]
    _direct: DirectServer | None = None

    @property
    def direct_calls_in_flight(self) -> int:
        """Calls that Serve does not see."""
        return self._direct.calls_in_flight if self._direct else 0

    async def introduce(self) -> Introduction | None:
        """How to call this replica past Serve."""
        if self._direct is None:
            self._direct = DirectServer({name: getattr(self, name) for name in self.direct_methods})
        return await self._direct.introduce()

    async def leave(self) -> None:
        """Let who is here past Serve get an answer."""
        if self._direct is not None:
            await self._direct.leave()

    def __del__(self) -> Coroutine[Any, Any, None] | None:
        """Serve's last call, which it awaits."""
        return self.leave() if self._direct else None


class _Caller(FrameProtocol):
    """The server's end of one connection."""

    def __init__(self, server: DirectServer) -> None:
        super().__init__()
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.gone = asyncio.Event()
        self._server = server
        self._is_known = False

    def longest_body(self) -> int:
        return super().longest_body() if self._is_known else SECRET_BYTES

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        asyncio.get_running_loop().call_later(HELLO_SECONDS, self._require_known)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._server.callers.discard(self)
        self.gone.set()
        for task in self.tasks.values():
            task.cancel()

    def take(self, kind: Kind, number: int, body: bytes) -> None:
        if not self._is_known:
            self._check_hello(kind, body)
        elif kind is Kind.CALL:
            task = asyncio.get_running_loop().create_task(self._answer(number, body))
            self.tasks[number] = task
            task.add_done_callback(lambda _: self.tasks.pop(number))
        elif kind is Kind.CANCEL:
            if task := self.tasks.get(number):
                task.cancel()
        else:
            raise ValueError("a caller does not say that")

    def _check_hello(self, kind: Kind, body: bytes) -> None:
        if kind is not Kind.HELLO or not hmac.compare_digest(body, self._server.secret):
            raise ValueError("a stranger")
        self._is_known = True
        self._server.callers.add(self)
        self.send(Kind.WELCOME)

    def _require_known(self) -> None:
        if not self._is_known:
            self.close()

    async def _answer(self, number: int, body: bytes) -> None:
        try:
            method, *arguments = unpack(body)
            answer = await self._server.methods[method](*arguments)
            self.send(Kind.ANSWER, number, answer)
        except FleetmemError as error:
            self.send(Kind.ERROR, number, pack(error))
        except Exception as error:
            log.exception("a direct call failed")
            self.send(Kind.FAULT, number, _tell(error))


def _tell(error: Exception) -> bytes:
    return f"{type(error).__name__}: {error}".encode(errors="replace")


def pack_call(method: str, arguments: tuple[Any, ...]) -> bytes:
    """The body of a call: bytes and plain values only."""
    return pickle.dumps((method, *arguments), pickle.HIGHEST_PROTOCOL)
