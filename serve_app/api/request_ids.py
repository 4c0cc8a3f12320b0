"""Middleware: every request has an id, its answer and its log lines carry it."""

import re
from functools import partial
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.logs import REQUEST_ID

HEADER = "x-request-id"
SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")
"""What may stand in a header and in a log without harm."""


class RequestIds:
    """Takes the caller's x-request-id when it is sane, and makes one up otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the id while the request is served."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if SANE.fullmatch(given) else str(uuid4())
        token = REQUEST_ID.set(request_id)
        try:
            await self.app(scope, receive, partial(_send_with_id, send, request_id))
        finally:
            REQUEST_ID.reset(token)


async def _send_with_id(send: Send, request_id: str, message: Message) -> None:
    if message["type"] == "http.response.start":
        MutableHeaders(scope=message)[HEADER] = request_id
    await send(message)
