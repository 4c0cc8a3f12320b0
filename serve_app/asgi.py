"""The ASGI application: the doors, hung on one service."""

from functools import partial
from typing import Protocol

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from serve_app.api import batch, health, keys, memories, ranking_defaults, tenants, usage, versions
from serve_app.api.access import Access
from serve_app.api.admission import Admission
from serve_app.api.answer_headers import AnswerHeaders
from serve_app.api.authentication import Authentication
from serve_app.api.cross_origin import open_to
from serve_app.api.deadline import Deadline
from serve_app.api.departures import Departures
from serve_app.api.gate import Gate
from serve_app.api.host_names import HostNames
from serve_app.api.hot_routes import HotRoute, HotRoutes
from serve_app.api.limiting import Limiting
from serve_app.api.openapi import describe
from serve_app.api.refusals import answer_refusal
from serve_app.api.request_ids import RequestIds
from serve_app.api.shield import Shield
from serve_app.api.threshold import DOORKEEPER
from serve_app.operations.service import Service
from serve_app.settings import Settings
from serve_app.telemetry import Meter

ROUTERS = (
    *(health.router, batch.router, memories.router, versions.router),
    *(keys.router, tenants.router, usage.router, ranking_defaults.router),
)

HOT = (memories.search, memories.remember)
"""The endpoints that answer nearly all of the load."""


class MetricsSource(Protocol):
    """Where `/metrics` gets its text."""

    async def exposition(self) -> str:
        """The families of fleetmem in Prometheus's text format."""
        ...


def create_asgi_app(
    service: Service, settings: Settings, metrics: MetricsSource, meter: Meter
) -> ASGIApp:
    """The HTTP application of one ingress replica; needs neither Ray nor a network.

    What every request passes, outermost first; the framework stands at the end of the way.
    """
    api = create_api(service, settings, metrics)
    hot = _find_hot_routes(service, settings)
    app: ASGIApp = HotRoutes(api, hot)
    app = Authentication(app, service.key_ring, settings.failed_keys_per_minute, meter)
    app = Deadline(app, settings.request_timeout_seconds)
    app = Gate(app, HostNames(settings.allowed_hosts, settings.loopback_only))
    app = Shield(app)
    if service.limiter:
        app = Limiting(app, service.limiter)
    app = Access(app, meter)
    admission = Admission(
        app, settings.max_concurrent_requests, settings.admission_wait_seconds, meter
    )
    app = open_to(settings.allowed_origins, admission)
    app = Departures(app)
    app = RequestIds(app, AnswerHeaders(settings.hsts_seconds))
    DOORKEEPER.stand(app, [one.route.path for one in hot], admission)
    return app


def create_api(service: Service, settings: Settings, metrics: MetricsSource) -> FastAPI:
    """The framework's part: every route, and the OpenAPI page."""
    api = FastAPIOffline(
        title="fleetmem",
        description="Long-term memory for fleets of AI agents.",
        version=health.VERSION,
        # The target of a redirect would carry the host that the caller named.
        redirect_slashes=False,
    )
    api.state.service = service
    api.state.settings = settings
    api.state.metrics = metrics
    for router in ROUTERS:
        api.include_router(router)
    for refusal in (RequestValidationError, HTTPException):
        api.add_exception_handler(refusal, answer_refusal)
    api.openapi = partial(describe, api, settings)
    # The framework would answer by itself what leaves it as an exception.
    api.add_middleware(Shield)
    return api


def _find_hot_routes(service: Service, settings: Settings) -> list[HotRoute]:
    routes = (route for route in memories.router.routes if isinstance(route, APIRoute))
    return [HotRoute(route, service, settings) for route in routes if route.endpoint in HOT]
