"""The headers that every answer carries, after OWASP's REST Security Cheat Sheet.

An answer of the API is data: no browser may guess its type, keep it, show it in a frame or load
anything for it. The two pages of documentation are all that may be shown, and load what lies
beside them only; their scripts stand inline, and hold nothing that a caller sent.
"""

RawHeaders = tuple[tuple[bytes, bytes], ...]

PAGES = ("/docs", "/redoc", "/static-offline-docs")

DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    b"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
EVERYWHERE: RawHeaders = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)


class AnswerHeaders:
    """`hsts_seconds` above 0 makes browsers use TLS for so long (RFC 6797)."""

    def __init__(self, hsts_seconds: int = 0) -> None:
        transport: RawHeaders = ()
        if hsts_seconds:
            transport = ((b"strict-transport-security", b"max-age=%d" % hsts_seconds),)
        everywhere = EVERYWHERE + transport
        self._data: RawHeaders = (
            (b"content-security-policy", DATA_POLICY),
            *everywhere,
        )
        self._page: RawHeaders = ((b"content-security-policy", PAGE_POLICY), *everywhere)

    def choose(self, path: str) -> RawHeaders:
        """Those of the answer at `path`."""
        return self._page if path.startswith(PAGES) else self._data
