"""The answer that carries one memory, and how the OpenAPI page tells of it."""

from typing import Any

from starlette.responses import Response

from serve_app.api.etags import write_etag
from serve_app.api.idempotency import REPLAYED, REPLAYED_HEADER
from serve_app.api.responses import MemoryResponse
from serve_app.core.memory import Memory
from serve_app.core.writing import Written

JSON = "application/json"

ETAG: dict[str, Any] = {
    "ETag": {"description": "id and version of the memory", "schema": {"type": "string"}}
}

MEMORY_HELD: dict[str, Any] = {
    "response_model": MemoryResponse,
    "responses": {200: {"headers": ETAG | REPLAYED_HEADER}},
}
MEMORY_CREATED: dict[str, Any] = {
    "response_model": MemoryResponse,
    "status_code": 201,
    "responses": {201: {"headers": ETAG | REPLAYED_HEADER}},
}
MEMORY_READ_BEFORE: dict[str, Any] = {
    "response_model": MemoryResponse,
    "responses": {200: {"headers": ETAG}, 304: {"description": "The caller has it already"}},
}
MEMORY_FORGOTTEN: dict[str, Any] = {
    "status_code": 204,
    "response_class": Response,
    "responses": {204: {"headers": REPLAYED_HEADER}},
}


def answer_written(written: Written, status: int = 200) -> Response:
    """The memory as the write left it."""
    response = answer_memory(written.memory, status)
    if written.is_replayed:
        response.headers[REPLAYED] = "true"
    return response


def answer_memory(memory: Memory, status: int = 200) -> Response:
    """The memory in memex's words, with its ETag."""
    body = MemoryResponse.__pydantic_serializer__.to_json(MemoryResponse.of(memory))
    return Response(body, status, {"etag": write_etag(memory)}, JSON)
