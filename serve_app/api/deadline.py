"""Middleware: an answer begins in time, or the caller is told that it will not."""

import asyncio
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.api.current_task import current_task
from serve_app.api.errors import BodyTooSlow
from serve_app.core.errors import DeadlineExceeded

READING_BODY = "fleetmem.reading_body"
"""True in the scope while a body is awaited."""


class Deadline:
    """Raises DeadlineExceeded after `seconds`, or BodyTooSlow while the body is still to come.

    An answer that has begun may take longer.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve within the time; reading the body counts."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        alarm = _Alarm(self.seconds)
        try:
            await self.app(scope, receive, partial(_send, send, alarm))
        except asyncio.CancelledError:
            if not alarm.silence():
                raise
            if scope.get(READING_BODY):
                raise BodyTooSlow("the body came too slowly") from None
            raise DeadlineExceeded("the request took too long") from None
        finally:
            alarm.stop()


class _Alarm:
    """Cancels the task that set it. `asyncio.timeout` does the same for five times as much."""

    __slots__ = ("_before", "_rang", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        self._task = current_task()
        self._before = self._task.cancelling()
        self._rang = False
        self._timer = asyncio.get_running_loop().call_later(seconds, self._ring)

    def stop(self) -> None:
        """Ring no more."""
        self._timer.cancel()

    def silence(self) -> bool:
        """Whether the task was cancelled by this alarm alone; it goes on then."""
        return self._rang and self._task.uncancel() <= self._before

    def _ring(self) -> None:
        self._rang = True
        self._task.cancel()


async def _send(send: Send, alarm: _Alarm, message: Message) -> None:
    if message["type"] == "http.response.start":
        alarm.stop()
    await send(message)
