"""Middleware before Serve's own: what it would obey, or stumble over, stays outside.

Serve reads some headers of each request before the application sees it: one sets its timeout, one
keeps it working for callers who have left, and one byte that is not UTF-8 in any of them is a 500
that no handler of ours can answer. RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH names
`stand_before_serve`; every HTTP server of Serve asks it for middleware.

Who is refused because of too many others is refused here, too: what Serve does for a request costs
more than the refusal itself, and refusals alone could keep a replica busy.
"""

from collections.abc import Callable

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

NOT_BY_SERVE = (b"x-request-disconnect-disabled", b"?1")
"""`Departures` watches for callers who leave, for less."""


class Doorkeeper:
    """Who is turned away before Serve does anything; the application of this process says it."""

    def __init__(self) -> None:
        self._is_refused: Callable[[Scope], bool] = _let_in
        self._app: ASGIApp | None = None

    def stand(self, is_refused: Callable[[Scope], bool], app: ASGIApp) -> None:
        """Send the requests that are to be refused straight to `app`, which refuses them."""
        self._is_refused, self._app = is_refused, app

    def find_refusal(self, scope: Scope) -> ASGIApp | None:
        """The application that refuses this request, if it is refused."""
        return self._app if self._is_refused(scope) else None


def _let_in(_: Scope) -> bool:
    return False


DOORKEEPER = Doorkeeper()
"""That of this process: Serve makes its middleware without asking the application."""


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
            scope["headers"].append(NOT_BY_SERVE)
            scope[TOLD_BY_SERVE] = True
        await (DOORKEEPER.find_refusal(scope) or self.app)(scope, receive, send)


def stand_before_serve() -> list[Middleware]:
    """What Serve is to put around its HTTP servers."""
    return [Middleware(Threshold)]


def _is_sane(header: tuple[bytes, bytes]) -> bool:
    name, value = header
    return name == RAW_HEADER and SANE.fullmatch(value) is not None
