"""Rules for text that is to be stored."""

import hashlib

from serve_app.core.errors import InvalidInput


def require_storable(text: str, field: str) -> str:
    """Return `text`; raise InvalidInput for NUL or a lone surrogate, which Postgres cannot hold."""
    if "\x00" in text:
        raise InvalidInput("NUL characters cannot be stored; remove them", field)
    if not text.isascii():
        _require_unicode(text, field)
    return text


def _require_unicode(text: str, field: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("lone surrogates are not text; send valid UTF-8", field) from None


def content_hash(content: str) -> bytes:
    """The sha256 of a content's UTF-8 bytes: 32 bytes."""
    return hashlib.sha256(content.encode()).digest()
