"""Middleware: finds out who calls, before any route, body or limit is looked at.

Whatever is not in PUBLIC needs a key, also what does not exist: a new door is closed by default.
"""

from collections.abc import Iterable
from time import monotonic

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.api.access import PROBES
from serve_app.api.caller import PRINCIPAL
from serve_app.api.errors import TwoKeys, find_answer
from serve_app.api.throttle import Throttle
from serve_app.core.errors import (
    FleetmemError,
    Forbidden,
    RateLimited,
    TooManyFailedKeys,
    Unauthenticated,
)
from serve_app.core.principal import Principal
from serve_app.operations.key_ring import KeyRing
from serve_app.telemetry import Meter

PUBLIC = PROBES | {"/", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}
PUBLIC_FILES = "/static-offline-docs/"
"""What answers without a key: how the service is, and how it is used; nothing that is stored."""

BEARER = b"bearer "
KEY_HEADERS = frozenset({b"x-api-key", b"x-memnex-api-key"})

NEWCOMERS_A_MINUTE = 600
"""Unknown keys that are looked up while their address fails too often: it may have good ones."""

LONGEST_KEY = 256


class Authentication:
    """Puts the caller into the scope of a request, where `identify` finds it."""

    def __init__(self, app: ASGIApp, ring: KeyRing, failures_a_minute: int, meter: Meter) -> None:
        self.app = app
        self._ring = ring
        self._meter = meter
        self._failures = Throttle(failures_a_minute, failures_a_minute)
        self._newcomers = Throttle(NEWCOMERS_A_MINUTE, 10)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request on with its caller, or raise the reason why not."""
        if scope["type"] == "http" and not is_public(scope["path"]):
            try:
                key = read_key(scope["headers"])
                scope[PRINCIPAL] = self._ring.recall(key) or await self._ask(scope, key)
            except Unauthenticated as refusal:
                wait = self._failures.take(_address(scope), monotonic())
                raise self._count(_too_many(wait) if wait else refusal) from None
            except (Forbidden, RateLimited, TwoKeys) as refusal:
                raise self._count(refusal) from None
        await self.app(scope, receive, send)

    async def _ask(self, scope: Scope, key: str | None) -> Principal:
        """Look the key up; a stranger among many failures of one address must wait for a turn."""
        now = monotonic()
        if self._failures.wait(_address(scope), now) and not self._ring.knows(key):
            wait = self._newcomers.take("", now)
            if wait:
                raise _too_many(wait)
        return await self._ring.identify(key)

    def _count(self, refusal: FleetmemError) -> FleetmemError:
        self._meter.count("keys_refused", code=find_answer(refusal)[0])
        return refusal


def is_public(path: str) -> bool:
    """Whether nobody needs a key there."""
    return path in PUBLIC or path.startswith(PUBLIC_FILES)


def read_key(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The one key that a request carries, None without any; raises TwoKeys."""
    found: bytes | None = None
    for name, value in headers:
        if name == b"authorization":
            if value[:7].lower() != BEARER:
                continue  # another scheme is somebody else's: a proxy's, say
            key = value[7:].strip()
        elif name in KEY_HEADERS:
            key = value.strip()
        else:
            continue
        if found is not None and key != found:
            raise TwoKeys("two different keys")
        found = key
    return None if found is None else found[:LONGEST_KEY].decode("latin-1")


def _too_many(wait: int) -> TooManyFailedKeys:
    return TooManyFailedKeys("too many requests without a valid key", wait)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
