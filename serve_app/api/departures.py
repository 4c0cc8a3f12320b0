"""Middleware: nobody works for callers who have left.

Serve can watch for that by itself, with two tasks and a queue for every request: a fifth of what an
ingress does for a search that the cache answers. Here nothing but a timer is set, and only those
requests are watched that are still under way when it rings.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.api.current_task import current_task

PATIENCE_SECONDS = 0.5
"""Who waits longer is in a queue: only there is work left to save, and watching costs a task."""


class Departures:
    """Cancels a request once its caller's connection is closed."""

    def __init__(self, app: ASGIApp, patience: float = PATIENCE_SECONDS) -> None:
        self.app = app
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until the answer is out, or nobody waits for it any more."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        watch = _Watch(receive, self._patience)
        try:
            await self.app(scope, watch.receive, send)
        except asyncio.CancelledError:
            if not watch.has_left:
                raise
            watch.task.uncancel()
        finally:
            watch.end()


class _Watch:
    """Hands messages on; begins to read them by itself while the application does not."""

    __slots__ = ("_messages", "_patience", "_reading", "_receive", "_timer", "has_left", "task")

    def __init__(self, receive: Receive, patience: float) -> None:
        self.has_left = False
        self.task = current_task()
        self._receive = receive
        self._patience = patience
        self._reading: asyncio.Task[None] | bool = False
        self._messages: asyncio.Queue[Message] | None = None
        self._timer = asyncio.get_running_loop().call_later(patience, self._begin)

    async def receive(self) -> Message:
        """What the application asks for."""
        if self._messages is not None:
            return await self._messages.get()
        self._reading = True
        try:
            return await self._receive()
        finally:
            self._reading = False

    def end(self) -> None:
        """The answer is out: look no longer."""
        self._timer.cancel()
        if isinstance(self._reading, asyncio.Task):
            self._reading.cancel()

    def _begin(self) -> None:
        if self._reading:
            # It would be told by itself; a server's messages go to one reader.
            self._timer = asyncio.get_running_loop().call_later(self._patience, self._begin)
            return
        self._messages = asyncio.Queue()
        self._reading = asyncio.create_task(self._read(self._messages))

    async def _read(self, messages: "asyncio.Queue[Message]") -> None:
        while not self.has_left:
            message = await self._receive()
            messages.put_nowait(message)
            self.has_left = message["type"] == "http.disconnect"
        self.task.cancel()
