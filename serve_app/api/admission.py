"""Middleware: more requests than can be worked on are refused at once, not queued."""

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.api.access import PROBES
from serve_app.core.errors import Overloaded


class Admission:
    """Lets `limit` requests in at a time; probes always get in, a full house is not a sick one."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit
        self.inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or raise Overloaded before anything is read."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        if self.inside >= self.limit:
            raise Overloaded("too many requests at once")
        self.inside += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.inside -= 1
