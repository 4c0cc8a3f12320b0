"""The routes of memories: memex's four, and get, list and change."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from serve_app.api.answers import (
    MEMORY_CREATED,
    MEMORY_FORGOTTEN,
    MEMORY_HELD,
    MEMORY_READ_BEFORE,
    answer_hits,
    answer_memory,
    answer_written,
)
from serve_app.api.bodies import JsonRoute
from serve_app.api.caller import Knobs, Reader, Serving, Writer
from serve_app.api.etags import IfMatch, IfNoneMatch, is_known, read_expected, write_etag
from serve_app.api.fields import Text
from serve_app.api.idempotency import REPLAYED, Once
from serve_app.api.requests import ListQuery, MemoryCreate, MemoryPatch, SearchRequest
from serve_app.api.responses import (
    CountResponse,
    PageResponse,
    SearchResponse,
)
from serve_app.core.errors import NotFound
from serve_app.core.memory import Scope

router = APIRouter(route_class=JsonRoute, tags=["memories"])


@router.post("/v1/memories", **MEMORY_CREATED)
async def remember(body: MemoryCreate, service: Serving, caller: Writer, once: Once) -> Response:
    """Store a memory. What is answered 201 is committed."""
    return answer_written(await service.remember(body.to_draft(caller), once), 201)


@router.post("/v1/memories/search", response_model=SearchResponse)
async def search(
    body: SearchRequest, service: Serving, caller: Reader, settings: Knobs
) -> Response:
    """The best memories of an agent and a user, by similarity and recency."""
    usual = None
    if body.leaves_profile:
        usual = await service.defaults.find_profile(caller.tenant_id, body.agent_id)
    query = body.to_query(caller, settings, usual)
    if body.rerank:
        reranked = await service.search_reranked(query)
        return answer_hits(body, query.profile, reranked.hits, reranked)
    return answer_hits(body, query.profile, await service.search(query))


@router.get("/v1/memories/count")
async def count(agent_id: Text, user_id: Text, service: Serving, caller: Reader) -> CountResponse:
    """How many active memories an agent has of a user."""
    total = await service.count(Scope(caller.tenant_id, agent_id, user_id))
    return CountResponse(agent_id=agent_id, user_id=user_id, count=total)


@router.get("/v1/memories")
async def walk(
    where: Annotated[ListQuery, Query()], service: Serving, caller: Reader
) -> PageResponse:
    """One page of memories, newest first; pass next_cursor on as cursor."""
    return PageResponse.of(await service.page(where.to_filter(caller), where.limit, where.cursor))


@router.get("/v1/memories/{memory_id}", **MEMORY_READ_BEFORE)
async def get(
    memory_id: UUID,
    service: Serving,
    caller: Reader,
    agent_id: Text | None = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One memory, archived or not; 404 when agent_id is given and is not its own."""
    memory = await service.get(caller, memory_id)
    if agent_id is not None and memory.scope.agent_id != agent_id:
        raise NotFound("not this agent's memory")
    if is_known(if_none_match, memory):
        return Response(None, 304, {"etag": write_etag(memory)})
    return answer_memory(memory)


@router.patch("/v1/memories/{memory_id}", **MEMORY_HELD)
async def revise(
    memory_id: UUID,
    body: MemoryPatch,
    service: Serving,
    caller: Writer,
    once: Once,
    if_match: IfMatch = None,
) -> Response:
    """Change a memory; a new content is embedded anew."""
    expected = read_expected(if_match, memory_id)
    written = await service.revise(caller, memory_id, body.to_changes(), expected, once)
    return answer_written(written)


@router.delete("/v1/memories/{memory_id}", **MEMORY_FORGOTTEN)
async def forget(
    memory_id: UUID,
    agent_id: Text,
    service: Serving,
    caller: Writer,
    once: Once,
    if_match: IfMatch = None,
) -> Response:
    """Delete a memory of this agent with its versions, and the summaries that speak of it."""
    expected = read_expected(if_match, memory_id)
    replayed = await service.forget(caller, memory_id, agent_id, expected, once)
    return Response(None, 204, {REPLAYED: "true"} if replayed else None)
