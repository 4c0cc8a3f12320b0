"""The types of single fields: what each accepts, and how it is refused."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from serve_app.core.errors import InvalidInput
from serve_app.core.text import require_storable

DUST = 1e-9
"""Far below what a score of four decimals can show."""

IMPORTANCE_SCALE = 2.0
"""memex's importance runs from 0 to 2, ours from 0 to 1."""


def _require_text(text: str) -> str:
    try:
        return require_storable(text, "")
    except InvalidInput as refusal:
        raise PydanticCustomError(
            "unstorable_text", "{reason}", {"reason": refusal.message}
        ) from refusal


def _drop_dust(number: float) -> float:
    """Postgres refuses a product that underflows, where Python gives 0."""
    return number if number > DUST else 0.0


def _read_moment(value: object) -> datetime:
    """An aware UTC time of ISO 8601 text; numbers are refused, their unit is a guess."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise PydanticCustomError(
            "not_a_moment", "give an ISO 8601 date and time, such as 2026-05-26T10:30:00Z"
        ) from None
    if moment.tzinfo is None:
        raise PydanticCustomError(
            "no_time_zone", "add a time zone to the time, such as Z or +02:00 (%2B in a URL)"
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError(
            "not_a_moment", "the time lies outside the years 1 to 9999 in UTC"
        ) from None


def _read_cursor(value: object) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        text = value.encode("ascii") if isinstance(value, str) else b""
        return UUID(bytes=base64.b64decode(text + b"==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise PydanticCustomError(
            "not_a_cursor", "give a next_cursor as it came, or none"
        ) from None


def write_cursor(after: UUID) -> str:
    """The opaque text that `Cursor` reads back."""
    return base64.urlsafe_b64encode(after.bytes).decode().rstrip("=")


Text = Annotated[str, Field(strict=True), AfterValidator(_require_text)]
"""Any text that Postgres can hold."""

Name = Annotated[
    str, Field(strict=True, min_length=1, max_length=128), AfterValidator(_require_text)
]
"""An agent's or a user's id."""

Content = Annotated[
    str, Field(strict=True, min_length=1, max_length=8000), AfterValidator(_require_text)
]
Question = Annotated[
    str, Field(strict=True, min_length=1, max_length=2000), AfterValidator(_require_text)
]
Importance = Annotated[
    float,
    Field(strict=True, ge=0, le=IMPORTANCE_SCALE, allow_inf_nan=False),
    AfterValidator(_drop_dust),
]
Weight = Annotated[
    float, Field(strict=True, ge=0, le=1, allow_inf_nan=False), AfterValidator(_drop_dust)
]
TopK = Annotated[int, Field(strict=True, ge=1, le=50)]
HalfLife = Annotated[float, Field(strict=True, ge=0.001, le=36_500, allow_inf_nan=False)]
Reach = Annotated[int, Field(strict=True, ge=0, le=5)]
ProfileName = Literal["decay", "blend", "hybrid", "conversation"]
Flag = Annotated[bool, Field(strict=True)]
MemoryType = Literal["episodic", "semantic", "procedural"]
LifeStatus = Literal["active", "archived"]

Moment = Annotated[
    datetime,
    BeforeValidator(_read_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment with a time zone."""

CURSOR = "^[A-Za-z0-9_-]{22}$"
"""What `write_cursor` writes of 16 bytes."""

Cursor = Annotated[
    UUID,
    BeforeValidator(_read_cursor),
    WithJsonSchema({"type": "string", "pattern": CURSOR}),
]
"""Where the page before ended."""
