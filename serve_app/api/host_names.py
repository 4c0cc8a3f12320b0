"""Which host names a request may call the service by (RFC 9110, 7.2).

A web page may let its own name point to 127.0.0.1 and then speak to what listens there (DNS
rebinding). The browser still sends that name, so a service of one machine answers to loopback
names only.
"""

import re

ANY = "*"
HOST = re.compile(rb"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
LOOPBACK_NAME = re.compile(r"localhost|\[::1\]|127(\.[0-9]{1,3}){3}")
LONGEST_KEPT, MOST_KEPT = 64, 256
"""Bytes of a Host header that is remembered, and how many are: callers choose what they send."""


class HostNames:
    """`names`, by commas, `*.` for all below; None means loopback names, or any name."""

    def __init__(self, names: str | None, loopback_only: bool) -> None:
        listed = [name.strip().lower() for name in (names or "").split(",") if name.strip()]
        self._exact = frozenset(name for name in listed if not name.startswith("*."))
        self._endings = tuple(name[1:] for name in listed if name.startswith("*."))
        self._loopback_only = not listed and loopback_only
        self._any = ANY in listed or (not listed and not loopback_only)
        self._known: set[bytes] = set()

    def knows(self, host: bytes) -> bool:
        """Whether a Host header, port or not, names this service."""
        if self._any or host in self._known:
            return True
        form = HOST.fullmatch(host)
        if form is None or not self._is_listed(form[1].decode().lower()):
            return False
        if len(host) <= LONGEST_KEPT and len(self._known) < MOST_KEPT:
            self._known.add(host)
        return True

    def _is_listed(self, name: str) -> bool:
        if self._loopback_only:
            return LOOPBACK_NAME.fullmatch(name) is not None
        return name in self._exact or name.endswith(self._endings)
