"""One keep-alive connection that has at most one request out."""

import asyncio
from collections.abc import Callable
from typing import Self, cast

import httptools

OnAnswer = Callable[["Connection", int, float], None]
"""Called with the connection, the status (0 where it broke) and the moment given to `send`."""

BROKEN = 0


class Connection(asyncio.Protocol):
    """Writes requests, parses answers in C, and throws their bodies away."""

    def __init__(self, on_answer: OnAnswer) -> None:
        self._on_answer = on_answer
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._due = 0.0
        self._keep = True
        self.is_busy = False

    @classmethod
    async def open(cls, host: str, port: int, on_answer: OnAnswer) -> Self:
        """Connect; raises OSError."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: cls(on_answer), host, port)
        return connection

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent."""
        return self._keep and self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, due: float) -> None:
        """Write one request; `due` comes back with its answer."""
        self._due = due
        self.is_busy = True
        if self.is_usable and self._transport is not None:
            self._transport.write(request)
        else:
            asyncio.get_running_loop().call_soon(self._finish, BROKEN)

    def close(self) -> None:
        """Close without a word."""
        self.is_busy = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        # uvloop's transports do not descend from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol; a request that is out gets the status 0."""
        self._keep = False
        if self.is_busy:
            self._finish(BROKEN)

    def on_message_complete(self) -> None:
        """Called by the parser at the end of an answer."""
        status = self._parser.get_status_code()
        self._keep = self._parser.should_keep_alive()
        self._parser = httptools.HttpResponseParser(self)
        if not self._keep and self._transport is not None:
            self._transport.close()
        self._finish(status)

    def _finish(self, status: int) -> None:
        self.is_busy = False
        self._on_answer(self, status, self._due)
