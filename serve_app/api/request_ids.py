"""Middleware: every request has an id, its answer and its log lines carry it."""

import re
from functools import partial
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.api.answer_headers import AnswerHeaders, RawHeaders
from serve_app.logs import REQUEST_ID

RAW_HEADER = b"x-request-id"
SANE = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
"""What may stand in a header and in a log without harm."""

TOLD_BY_SERVE = "fleetmem.request_id_is_told"
"""In the scope where Serve adds the id to the answer by itself."""


class RequestIds:
    """Takes the caller's x-request-id when it is sane, and makes one up otherwise.

    The headers of every answer are added here, too: one look at the answer is enough.
    """

    def __init__(self, app: ASGIApp, answer_headers: AnswerHeaders) -> None:
        self.app = app
        self._answer_headers = answer_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the id while the request is served."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _read_id(scope["headers"]) or str(uuid4())
        headers = self._answer_headers.choose(scope["path"])
        if TOLD_BY_SERVE not in scope:
            headers = (*headers, (RAW_HEADER, request_id.encode()))
        token = REQUEST_ID.set(request_id)
        try:
            await self.app(scope, receive, partial(_send_with, send, headers))
        finally:
            REQUEST_ID.reset(token)


def _read_id(headers: list[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == RAW_HEADER:
            return value.decode() if SANE.fullmatch(value) else None
    return None


async def _send_with(send: Send, headers: RawHeaders, message: Message) -> None:
    if message["type"] == "http.response.start":
        message["headers"] = [*message.get("headers", ()), *headers]
    await send(message)
