"""Middleware: whatever is raised leaves as a problem, and its text stays in the log."""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.api.errors import find_answer
from serve_app.api.problems import answer_error
from serve_app.api.responding import Responding

logger = logging.getLogger(__name__)


class Shield:
    """Answers every exception; one after the answer has begun can only break it off."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or answer why not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        responding = Responding(send)
        try:
            await self.app(scope, receive, responding)
        except ClientDisconnect:
            logger.info("the caller left while sending")
        except Exception as error:
            if find_answer(error)[1].status == 500:
                logger.exception("a request failed")
            if responding.status is not None:
                raise
            await answer_error(error)(scope, receive, send)
