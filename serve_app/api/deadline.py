"""Middleware: an answer begins in time, or the caller is told that it will not."""

import asyncio
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
        timer = asyncio.timeout(self.seconds)
        try:
            async with timer:
                await self.app(scope, receive, partial(_send, send, timer))
        except TimeoutError:
            if not timer.expired():
                raise
            if scope.get(READING_BODY):
                raise BodyTooSlow("the body came too slowly") from None
            raise DeadlineExceeded("the request took too long") from None


async def _send(send: Send, timer: asyncio.Timeout, message: Message) -> None:
    if message["type"] == "http.response.start" and not timer.expired():
        timer.reschedule(None)
    await send(message)
