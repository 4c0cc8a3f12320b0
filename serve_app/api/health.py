"""The routes that tell how the service is: for people, for balancers, for Prometheus."""

import asyncio
import logging
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from serve_app.api.caller import Knobs, Serving
from serve_app.api.errors import NotReady
from serve_app.core.errors import DeadlineExceeded, FleetmemError
from serve_app.operations.service import Service
from serve_app.settings import Settings

router = APIRouter(tags=["service"])
logger = logging.getLogger(__name__)

VERSION = version("fleetmem")
LONGEST_CHECK_SECONDS = 5.0
EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus's text format."""


class Welcome(BaseModel):
    """What this is."""

    service: str = "fleetmem"
    version: str = VERSION
    docs: str = "/docs"


class Health(BaseModel):
    """memex's health; `db` is `ok` or `error: ` and a stable code."""

    status: Literal["ok", "degraded"]
    db: str
    version: str = VERSION


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Every dependency answers."""

    status: Literal["ready"] = "ready"
    checks: dict[str, str]


@router.get("/")
async def welcome() -> Welcome:
    """What this is, and where its documentation lies."""
    return Welcome()


@router.get("/health")
async def health(service: Serving, settings: Knobs) -> Health:
    """How the service is; always 200, so ask /readyz to take a replica out."""
    checks = await check(service, settings)
    database = checks["database"]
    return Health(
        status="ok" if set(checks.values()) == {"ok"} else "degraded",
        db="ok" if database == "ok" else f"error: {database}",
    )


@router.get("/livez")
async def livez() -> Alive:
    """The process answers; touches nothing else."""
    return Alive()


@router.get("/readyz")
async def readyz(service: Serving, settings: Knobs) -> Ready:
    """200 when the database and the embedder answer, 503 with `checks` when not."""
    checks = await check(service, settings)
    if set(checks.values()) != {"ok"}:
        raise NotReady(checks)
    return Ready(checks=checks)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """The metrics of the whole cluster, as Prometheus reads them."""
    return PlainTextResponse(
        await request.app.state.metrics.exposition(), media_type=EXPOSITION_TYPE
    )


async def check(service: Service, settings: Settings) -> dict[str, str]:
    """`ok` or an error's code by dependency; never raises, and answers before the deadline."""
    longest = min(LONGEST_CHECK_SECONDS, settings.request_timeout_seconds / 2)
    try:
        async with asyncio.timeout(longest):
            return await service.check_health()
    except TimeoutError:
        return dict.fromkeys(("database", "embedder"), DeadlineExceeded.code)
    except Exception:
        logger.exception("a health check failed in an unknown way")
        return dict.fromkeys(("database", "embedder"), FleetmemError.code)
