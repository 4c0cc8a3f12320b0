"""The route that stores many memories at once, each with its own outcome."""

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from serve_app.api.bodies import BatchRoute
from serve_app.api.caller import Serving, Writer
from serve_app.api.idempotency import REPLAYED, REPLAYED_HEADER, Once
from serve_app.api.problems import describe_problem, refuse_fields
from serve_app.api.requests import BatchItem, BatchRequest
from serve_app.api.responses import BatchOutcome, BatchResponse, MemoryResponse
from serve_app.core.errors import FleetmemError
from serve_app.core.memory import MemoryDraft
from serve_app.core.principal import Principal
from serve_app.core.writing import Written

router = APIRouter(route_class=BatchRoute, tags=["memories"])


@router.post("/v1/memories/batch", responses={200: {"headers": REPLAYED_HEADER}})
async def remember_many(
    body: BatchRequest, service: Serving, caller: Writer, once: Once, response: Response
) -> BatchResponse:
    """Store up to 1,000 memories; the outcomes stand in the order of the request."""
    readings = [_read_draft(item, caller) for item in body.memories]
    drafts = [reading for reading in readings if isinstance(reading, MemoryDraft)]
    stored = iter(await service.remember_many(drafts, once) if drafts else [])
    outcomes = [
        next(stored) if isinstance(reading, MemoryDraft) else reading for reading in readings
    ]
    written = [outcome for outcome in outcomes if isinstance(outcome, Written)]
    if written and all(each.is_replayed for each in written):
        response.headers[REPLAYED] = "true"
    there = sum(each.was_there for each in written)
    return BatchResponse(
        results=[_tell(outcome) for outcome in outcomes],
        created=len(written) - there,
        failed=len(outcomes) - len(written),
        deduplicated=there or None,
    )


def _read_draft(item: object, caller: Principal) -> MemoryDraft | FleetmemError:
    try:
        return BatchItem.model_validate(item).to_draft(caller)
    except ValidationError as error:
        return refuse_fields([dict(fault) for fault in error.errors()], BatchItem.model_fields)


def _tell(outcome: Written | FleetmemError) -> BatchOutcome:
    if isinstance(outcome, Written):
        status = 200 if outcome.was_there else 201
        return BatchOutcome(status=status, memory=MemoryResponse.of(outcome.memory))
    problem = describe_problem(outcome)
    return BatchOutcome(status=problem.status, error=problem)
