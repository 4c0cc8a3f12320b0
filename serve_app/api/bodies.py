"""Reading a JSON body: no more bytes than allowed, and nothing that means two things."""

import json
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from serve_app.api.deadline import READING_BODY
from serve_app.api.errors import (
    BodyTooLarge,
    DuplicateKey,
    InvalidEncoding,
    MalformedJson,
    NestingTooDeep,
    UnsupportedMediaType,
)
from serve_app.settings import Settings

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]

DOCUMENT = "fleetmem.document"
"""Where the scope of a request keeps the one object of its body, once it is read."""

METHODS_WITH_BODY = frozenset({"POST", "PATCH", "PUT"})
MAX_DEPTH = 32
WHITE_SPACE = b" \t\r\n"
"""What JSON allows before a value (RFC 8259, section 2)."""


class JsonRoute(APIRoute):
    """A route whose body is one JSON object of at most `max_body_bytes`."""

    @staticmethod
    def body_limit(settings: Settings) -> int:
        """The bytes that this route reads at most."""
        return settings.max_body_bytes

    def get_route_handler(self) -> Endpoint:
        """FastAPI's own handler, behind the strict reading."""
        return partial(_answer, super().get_route_handler(), self.body_limit)


class BatchRoute(JsonRoute):
    """A route whose body may be as large as a batch."""

    @staticmethod
    def body_limit(settings: Settings) -> int:
        """The bytes of a batch."""
        return settings.max_batch_body_bytes


class ReadRequest(Request):
    """A request whose body has been read and parsed."""

    def __init__(self, request: Request, raw: bytes, document: dict[str, Any]) -> None:
        super().__init__(request.scope, request.receive)
        self.raw = raw
        self.document = document

    async def body(self) -> bytes:
        """The bytes as they came."""
        return self.raw

    async def json(self) -> Any:
        """The one object they mean."""
        return self.document


async def _answer(
    endpoint: Endpoint, body_limit: Callable[[Settings], int], request: Request
) -> Response:
    if request.method not in METHODS_WITH_BODY:
        _require_readable_query(request.scope["query_string"])
        return await endpoint(request)
    raw, document = await read_document(request, body_limit(request.app.state.settings))
    return await endpoint(ReadRequest(request, raw, document))


async def read_document(request: Request, limit: int) -> tuple[bytes, dict[str, Any]]:
    """The body as it came and the one object it means; raises the door's errors."""
    _require_readable_query(request.scope["query_string"])
    _require_json(request.headers.get("content-type", ""))
    raw = await read_body(request, limit)
    request.scope[DOCUMENT] = document = parse_object(raw)
    return raw, document


def _require_readable_query(query: bytes) -> None:
    """Refuse what the framework would silently turn into U+FFFD."""
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        raise InvalidEncoding("The query string is not UTF-8.") from None


def _require_json(content_type: str) -> None:
    """A missing type is refused, too: a web page can send that one across origins."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("not JSON")


async def read_body(request: Request, limit: int) -> bytes:
    """At most `limit` bytes; stops at the first sign that they cannot be a JSON object."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(f"The body may have {limit} bytes.")
    body = bytearray()
    begun = False
    request.scope[READING_BODY] = True
    async for chunk in request.stream():
        if len(body) + len(chunk) > limit:
            raise BodyTooLarge(f"The body may have {limit} bytes.")
        body += chunk
        begun = begun or _require_object(body)
    request.scope[READING_BODY] = False
    return bytes(body)


def _require_object(begin: bytearray) -> bool:
    """Whether an object has begun; False while only white space has come."""
    first = bytes(begin).lstrip(WHITE_SPACE)[:1]
    if first not in (b"", b"{"):
        raise MalformedJson("The body must be a JSON object, and begin with {.")
    return first == b"{"


def parse_object(raw: bytes) -> dict[str, Any]:
    """The one object that `raw` means; raises the door's errors, which quote nothing of it."""
    try:
        value: Any = _DECODER.decode(raw.decode())
    except UnicodeDecodeError as error:
        raise InvalidEncoding(f"The body is not UTF-8 at byte {error.start}.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedJson(f"The body is not JSON: {error.msg} at {place}.") from None
    except RecursionError:
        raise NestingTooDeep(f"The body may be nested {MAX_DEPTH} deep.") from None
    except ValueError:
        # Python refuses to read integers of thousands of digits.
        raise MalformedJson("The body has a number with too many digits.") from None
    if not isinstance(value, dict):
        raise MalformedJson("The body must be a JSON object.")
    _require_shallow(value)
    return value


def _unite(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    united = dict(pairs)
    if len(united) != len(pairs):
        raise DuplicateKey("An object in the body names a key twice.")
    return united


def _refuse_constant(name: str) -> float:
    raise MalformedJson(f"{name} is not JSON.")


_DECODER = json.JSONDecoder(object_pairs_hook=_unite, parse_constant=_refuse_constant)


def _require_shallow(value: dict[str, Any]) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise NestingTooDeep(f"The body may be nested {MAX_DEPTH} deep.")


def _children(parent: Any) -> list[Any]:
    values = parent.values() if isinstance(parent, dict) else parent
    return [value for value in values if isinstance(value, dict | list)]
