"""Middleware before Serve's own: what it would obey, or stumble over, stays outside.

Serve reads some headers of each request before the application sees it: one sets its timeout, one
keeps it working for callers who have left, and one byte that is not UTF-8 in any of them is a 500
that no handler of ours can answer. RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH names
`stand_before_serve`; every HTTP server of Serve asks it for middleware.
"""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.api.request_ids import RAW_HEADER, SANE, TOLD_BY_SERVE

OBEYED = frozenset(
    spelling
    for name in (
        b"x-request-timeout-seconds",
        b"x-request-disconnect-disabled",
        b"x-session-id",
        b"serve-multiplexed-model-id",
    )
    for spelling in (name, name.replace(b"-", b"_"))
)
WATCHED = OBEYED | {RAW_HEADER}


class Threshold:
    """Takes away Serve's own headers, and an x-request-id that is not sane."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "lifespan":
            scope["headers"] = [
                header
                for header in scope["headers"]
                if header[0] not in WATCHED or _is_sane(header)
            ]
            scope[TOLD_BY_SERVE] = True
        await self.app(scope, receive, send)


def stand_before_serve() -> list[Middleware]:
    """What Serve is to put around its HTTP servers."""
    return [Middleware(Threshold)]


def _is_sane(header: tuple[bytes, bytes]) -> bool:
    name, value = header
    return name == RAW_HEADER and SANE.fullmatch(value) is not None
