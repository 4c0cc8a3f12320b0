"""Middleware: the busiest routes, answered past the framework's routing and dependencies.

Those cost more than everything else that an ingress does for a search. A hot route is one of the
framework's own (the OpenAPI page and the errors stay its), found in one look-up, called directly.
"""

from collections.abc import Iterable
from inspect import get_annotations
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.api.bodies import JsonRoute, read_document
from serve_app.api.caller import find_needs
from serve_app.api.idempotency import read_key
from serve_app.api.problems import refuse_fields
from serve_app.operations.service import Service
from serve_app.settings import Settings


class HotRoute:
    """A POST route whose endpoint takes `body`, `caller`, any of `service`, `settings`, `once`.

    It must answer with a Response.
    """

    def __init__(self, route: APIRoute, service: Service, settings: Settings) -> None:
        self.route = route
        annotations = get_annotations(route.endpoint)
        self._read: type[BaseModel] = annotations["body"]
        world: dict[str, Any] = {"service": service, "settings": settings}
        self._world = {name: world[name] for name in annotations if name in world}
        self._needs = find_needs(annotations["caller"])
        self._takes_key = "once" in annotations
        self._limit = JsonRoute.body_limit(settings)

    async def answer(self, request: Request) -> Response:
        """What the framework would answer to this request."""
        raw, document = await read_document(request, self._limit)
        caller = await self._needs(request)
        world = self._world
        if self._takes_key:
            world = world | {"once": read_key(request, raw, caller)}
        try:
            body = self._read.model_validate(document)
        except ValidationError as error:
            raise refuse_fields([dict(fault) for fault in error.errors()]) from None
        return await self.route.endpoint(body=body, caller=caller, **world)


class HotRoutes:
    """Answers its routes, and leaves the rest to the framework."""

    def __init__(self, app: ASGIApp, routes: Iterable[HotRoute]) -> None:
        self.app = app
        self._routes = {hot.route.path: hot for hot in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        hot = self._routes.get(scope["path"]) if scope["type"] == "http" else None
        if hot is None or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        scope["route"] = hot.route
        response = await hot.answer(Request(scope, receive))
        await response(scope, receive, send)
