"""The ASGI application: the doors, hung on one service."""

from functools import partial
from typing import Protocol

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from serve_app.api import batch, health, memories
from serve_app.api.access import Access
from serve_app.api.admission import Admission
from serve_app.api.deadline import Deadline
from serve_app.api.hot_routes import HotRoute, HotRoutes
from serve_app.api.openapi import PROBLEM_RESPONSES, describe
from serve_app.api.refusals import answer_refusal
from serve_app.api.request_ids import RequestIds
from serve_app.api.shield import Shield
from serve_app.operations.service import Service
from serve_app.settings import Settings
from serve_app.telemetry import Meter

HOT = (memories.search, memories.remember)
"""The endpoints that answer nearly all of the load."""


class MetricsSource(Protocol):
    """Where `/metrics` gets its text."""

    async def exposition(self) -> str:
        """The families of fleetmem in Prometheus's text format."""
        ...


def create_asgi_app(
    service: Service, settings: Settings, metrics: MetricsSource, meter: Meter
) -> FastAPI:
    """The HTTP application of one ingress replica; needs neither Ray nor a network."""
    app = FastAPIOffline(
        title="fleetmem",
        description="Long-term memory for fleets of AI agents.",
        version=health.VERSION,
        responses=PROBLEM_RESPONSES,
    )
    app.state.service = service
    app.state.settings = settings
    app.state.metrics = metrics
    for door in (health, batch, memories):
        app.include_router(door.router)
    for refusal in (RequestValidationError, HTTPException):
        app.add_exception_handler(refusal, answer_refusal)
    app.openapi = partial(describe, app, settings)
    _surround(app, service, settings, meter)
    return app


def _surround(app: FastAPI, service: Service, settings: Settings, meter: Meter) -> None:
    """The middlewares, innermost first."""
    routes = (route for route in memories.router.routes if isinstance(route, APIRoute))
    hot = [HotRoute(route, service, settings) for route in routes if route.endpoint in HOT]
    app.add_middleware(HotRoutes, routes=hot)
    app.add_middleware(Deadline, seconds=settings.request_timeout_seconds)
    app.add_middleware(Admission, limit=settings.max_concurrent_requests)
    app.add_middleware(Shield)
    app.add_middleware(Access, meter=meter)
    app.add_middleware(RequestIds)
