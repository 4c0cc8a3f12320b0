"""Middleware: each answer is counted, timed and logged under its route's template."""

import logging
from time import perf_counter

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.api.responding import Responding
from serve_app.logs import ACCESS_LOGGER
from serve_app.telemetry import Meter

logger = logging.getLogger(ACCESS_LOGGER)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""The label of what the caller made up: label values must stay few."""

CLIENT_GONE = 499
"""What nginx logs when the caller left before the answer."""

PROBES = frozenset({"/livez", "/readyz", "/health", "/metrics"})


class Access:
    """Counts http_requests, times http_request_duration_seconds, writes the access log."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self.app = app
        self.meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure one request, however it ends."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        responding = Responding(send)
        try:
            await self.app(scope, receive, responding)
        finally:
            self._record(scope, responding.status or CLIENT_GONE, perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER
        route = getattr(scope.get("route"), "path_format", OTHER)
        self.meter.count("http_requests", method=method, route=route, status=str(status))
        self.meter.observe("http_request_duration_seconds", seconds, method=method, route=route)
        level = _level(route, status)
        if logger.isEnabledFor(level):
            fields = {"method": method, "route": route, "status": status}
            logger.log(level, "answered", extra=fields | {"duration_ms": round(seconds * 1e3, 3)})


def _level(route: str, status: int) -> int:
    """Failures are always written, probes seldom, the rest as the settings say."""
    if status >= 500:
        return logging.WARNING
    return logging.DEBUG if route in PROBES else logging.INFO
