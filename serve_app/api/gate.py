"""Middleware: what a request's first line and headers may be, before anything else is read."""

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.api.access import PROBES
from serve_app.api.errors import (
    BadRequest,
    HeadersTooLarge,
    HostNotAllowed,
    UnsupportedMediaType,
    UriTooLong,
)
from serve_app.api.host_names import HostNames

MAX_TARGET_BYTES = 8192
"""Bytes of path and query."""

MAX_HEADERS = 64
MAX_HEADER_BYTES = 8192
"""Bytes of all names and values."""

NEITHER_CODED = frozenset({b"", b"identity"})


class Gate:
    """Raises the door's errors; probes may name any host, for they call by address."""

    def __init__(self, app: ASGIApp, host_names: HostNames) -> None:
        self.app = app
        self._host_names = host_names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in whose outside is in order."""
        if scope["type"] == "http":
            target = scope.get("raw_path") or scope["path"]
            if len(target) + len(scope["query_string"]) > MAX_TARGET_BYTES:
                raise UriTooLong(f"Path and query may have {MAX_TARGET_BYTES} bytes.")
            self._require_host(scope, _read_host(scope["headers"]))
        await self.app(scope, receive, send)

    def _require_host(self, scope: Scope, host: bytes | None) -> None:
        if host is None:
            if scope["http_version"] != "1.0":
                raise BadRequest("no Host header")
        elif not self._host_names.knows(host) and scope["path"] not in PROBES:
            raise HostNotAllowed("another host is meant")


def _read_host(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """The Host header; on the one way through the headers their size is counted, too."""
    if len(headers) > MAX_HEADERS:
        raise HeadersTooLarge(f"A request may have {MAX_HEADERS} headers.")
    host, size = None, 0
    for name, value in headers:
        size += len(name) + len(value)
        if name == b"host":
            if host is not None:
                raise BadRequest("two Host headers")
            host = value
        elif name == b"content-encoding" and value.strip().lower() not in NEITHER_CODED:
            raise UnsupportedMediaType("a coded body")
    if size > MAX_HEADER_BYTES:
        raise HeadersTooLarge(f"The headers of a request may have {MAX_HEADER_BYTES} bytes.")
    return host
