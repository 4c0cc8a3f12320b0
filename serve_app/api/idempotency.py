"""The header Idempotency-Key: requests under one key are one request."""

from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Header
from starlette.requests import Request

from serve_app.api.bodies import ReadRequest
from serve_app.api.caller import Writer
from serve_app.api.errors import InvalidIdempotencyKey
from serve_app.core.principal import Principal
from serve_app.core.writing import IdempotencyKey

HEADER = "Idempotency-Key"
REPLAYED = "idempotency-replayed"
LONGEST = 255
SHAPE: dict[str, Any] = {
    "minLength": 1,
    "maxLength": LONGEST,
    "pattern": "^[!-~]([ -~]*[!-~])?$",
    "examples": ["0d9f1b3e-6a5c-4d52-8f7e-2b1c9a4e7d60"],
}
"""For the OpenAPI page alone: read_key refuses what is no key with a code of its own."""

REPLAYED_HEADER: dict[str, Any] = {
    "Idempotency-Replayed": {
        "description": "`true` where the key had it done before",
        "schema": {"type": "string"},
    }
}

KeyHeader = Annotated[
    str | None,
    Header(
        alias=HEADER,
        description="1 to 255 printable ASCII characters, new for every request that is meant "
        "anew; a request that is sent again under its key is done once",
        json_schema_extra=SHAPE,
    ),
]


async def find_key(
    request: Request, caller: Writer, header: KeyHeader = None
) -> IdempotencyKey | None:
    """The key of a request; its body counts where the route reads one."""
    raw = request.raw if isinstance(request, ReadRequest) else b""
    return read_key(request, raw, caller)


async def refuse_key(request: Request) -> None:
    """Refuse the header where the answer holds a secret, which is never kept."""
    if HEADER in request.headers:
        raise InvalidIdempotencyKey(
            "What is answered here holds a secret and is not kept; send no Idempotency-Key."
        )


Once = Annotated[IdempotencyKey | None, Depends(find_key)]


def read_key(request: Request, raw: bytes, caller: Principal) -> IdempotencyKey | None:
    """The key in the caller's tenant, with the sha256 of method, path, query and body.

    Raises InvalidIdempotencyKey.
    """
    values = request.headers.getlist(HEADER)
    if not values:
        return None
    key = values[0]
    if len(values) > 1 or not 1 <= len(key) <= LONGEST or not (key.isascii() and key.isprintable()):
        raise InvalidIdempotencyKey("Give one key of 1 to 255 printable ASCII characters.")
    target = f"{request.method} {request.url.path}?{request.url.query}\n"
    return IdempotencyKey(caller.tenant_id, key, sha256(target.encode() + raw).digest())
