"""The route of a memory's versions: what it is and what it was."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from serve_app.api.bodies import JsonRoute
from serve_app.api.caller import Reader, Serving
from serve_app.api.fields import Text
from serve_app.api.responses import VersionsResponse
from serve_app.core.errors import NotFound

router = APIRouter(route_class=JsonRoute, tags=["memories"])

LAST_VERSION = 2**31 - 1

Limit = Annotated[int, Query(ge=1, le=200)]
Below = Annotated[
    int | None, Query(ge=1, le=LAST_VERSION, description="next_cursor of the page before")
]


@router.get("/v1/memories/{memory_id}/versions")
async def page_versions(
    memory_id: UUID,
    service: Serving,
    caller: Reader,
    agent_id: Text | None = None,
    limit: Limit = 50,
    cursor: Below = None,
) -> VersionsResponse:
    """What a memory is and was, newest first; 404 when agent_id is given and is not its own."""
    if agent_id is not None:
        memory = await service.get(caller, memory_id)
        if memory.scope.agent_id != agent_id:
            raise NotFound("not this agent's memory")
    versions = await service.page_versions(caller, memory_id, limit, cursor)
    return VersionsResponse.of(versions)
