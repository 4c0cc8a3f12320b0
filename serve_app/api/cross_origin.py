"""Cross-origin calls (CORS): closed, unless the settings name origins."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REQUEST_HEADERS = (
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "x-api-key",
    "x-request-id",
)
ANSWER_HEADERS = ("etag", "retry-after", "x-request-id")


def open_to(origins: str | None, app: ASGIApp) -> ASGIApp:
    """`app`, callable from the web pages of `origins` (by commas), never with cookies."""
    listed = [origin.strip().rstrip("/") for origin in (origins or "").split(",") if origin.strip()]
    if not listed:
        return app
    return CORSMiddleware(
        app,
        allow_origins=listed,
        allow_methods=METHODS,
        allow_headers=REQUEST_HEADERS,
        expose_headers=ANSWER_HEADERS,
    )
