"""Middleware before Serve's own: what it would obey, or stumble over, stays outside.

Serve reads some headers of each request before the application sees it: one sets its timeout, one
keeps it working for callers who have left, and one byte that is not UTF-8 in any of them is a 500
that no handler of ours can answer. RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH names
`stand_before_serve`; every HTTP server of Serve asks it for middleware.

Requests for the busiest routes, and those that are refused because of too many others, go from
here to the application past Serve's own work, which is a third of the ingress's.
"""

from collections.abc import Iterable

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.api.admission import Admission
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

SERVES_OWN_PATHS = "/-/"
"""Where HAProxy asks Serve how a replica is. Were that refused in an overload, the replica would
count as dead, and all of its load would come through Serve's own slow proxy."""

NOT_BY_SERVE = (b"x-request-disconnect-disabled", b"?1")
"""`Departures` watches for callers who leave, for less."""


class Doorkeeper:
    """Which requests go to the application of this process at once."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._hot: frozenset[str] = frozenset()
        self._admission: Admission | None = None

    def stand(self, app: ASGIApp, hot: Iterable[str], admission: Admission) -> None:
        """Send to `app` what is for the `hot` paths, and what its admission refuses."""
        self._app, self._hot, self._admission = app, frozenset(hot), admission

    def find_app(self, scope: Scope) -> ASGIApp | None:
        """The application, for a request that is not to pass Serve."""
        if self._admission is None or scope["type"] != "http":
            return None
        path = scope["path"]
        if path.startswith(SERVES_OWN_PATHS):
            return None
        return self._app if path in self._hot or self._admission.is_refused(scope) else None

    @property
    def inside(self) -> int:
        """The requests that are being answered; Serve knows few of them."""
        return self._admission.congestion.inside if self._admission else 0


DOORKEEPER = Doorkeeper()
"""That of this process: Serve makes its middleware without asking the application."""


class Threshold:
    """Takes away Serve's own headers, and an x-request-id that is not sane."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        app = DOORKEEPER.find_app(scope)
        if app is None:
            app = self.app
            _prepare_for_serve(scope)
        await app(scope, receive, send)


def _prepare_for_serve(scope: Scope) -> None:
    if scope["type"] == "lifespan":
        return
    scope["headers"] = [
        header for header in scope["headers"] if header[0] not in WATCHED or _is_sane(header)
    ]
    scope["headers"].append(NOT_BY_SERVE)
    scope[TOLD_BY_SERVE] = True


def stand_before_serve() -> list[Middleware]:
    """What Serve is to put around its HTTP servers."""
    return [Middleware(Threshold)]


def _is_sane(header: tuple[bytes, bytes]) -> bool:
    name, value = header
    return name == RAW_HEADER and SANE.fullmatch(value) is not None
