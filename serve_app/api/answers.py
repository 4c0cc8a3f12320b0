"""The answers that carry memories, and how the OpenAPI page tells of them."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from serve_app.api.etags import write_etag
from serve_app.api.idempotency import REPLAYED, REPLAYED_HEADER
from serve_app.api.requests import SearchRequest
from serve_app.api.responses import Explanation, MemoryResponse, SearchResponse
from serve_app.api.told_memory import write_hits, write_memory
from serve_app.core.memory import Memory
from serve_app.core.profiles import Profile
from serve_app.core.ranking import Hit
from serve_app.core.reranking import Reranked
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
    "responses": {
        201: {"headers": ETAG | REPLAYED_HEADER},
        200: {
            "model": MemoryResponse,
            "description": "Nothing was stored: `dedupe` found this memory",
            "headers": ETAG | REPLAYED_HEADER,
        },
    },
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


def answer_hits(
    body: SearchRequest, profile: Profile, hits: Sequence[Hit], reranked: Reranked | None = None
) -> Response:
    """What a search found, with what the caller wanted to be told of it."""
    if not (body.explain or body.include_context or reranked):
        return Response(write_hits(body.query, hits), media_type=JSON)
    results = [
        MemoryResponse.of(hit.memory, hit, Explanation.of(hit, profile) if body.explain else None)
        for hit in hits
    ]
    response = SearchResponse(results=results, query=body.query, total=len(results))
    if reranked:
        response.tell_reranking(reranked)
    return Response(SearchResponse.__pydantic_serializer__.to_json(response), media_type=JSON)


def answer_written(written: Written, status: int = 200) -> Response:
    """The memory as the write left it; 200 where it was there before."""
    response = answer_memory(written.memory, 200 if written.was_there else status)
    if written.is_replayed:
        response.headers[REPLAYED] = "true"
    return response


def answer_memory(memory: Memory, status: int = 200) -> Response:
    """The memory in memex's words, with its ETag."""
    return Response(write_memory(memory), status, {"etag": write_etag(memory)}, JSON)
