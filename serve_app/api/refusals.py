"""What the framework refuses by itself, told in our words."""

from inspect import get_annotations
from typing import get_args

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from serve_app.api.errors import BadRequest, MethodNotAllowed, RouteNotFound
from serve_app.api.problems import answer_error, refuse_fields
from serve_app.core.errors import FleetmemError


async def answer_refusal(request: Request, error: Exception) -> JSONResponse:
    """What the framework refuses (routes, methods, fields), told in our words."""
    if isinstance(error, RequestValidationError):
        return answer_error(refuse_fields(error.errors(), _known_fields(request)))
    if not isinstance(error, HTTPException):
        return answer_error(error)
    response = answer_error(_translate(error))
    if error.status_code == 405:
        response.headers["allow"] = _allowed(request)
    return response


def _known_fields(request: Request) -> set[str]:
    """The names that the route's own models know."""
    annotations = get_annotations(request.scope["endpoint"])
    kinds = [
        (get_args(kind) or (kind,))[0] for name, kind in annotations.items() if name != "return"
    ]
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return {name for model in models for name in model.model_fields}


def _translate(error: HTTPException) -> FleetmemError:
    if error.status_code == 404:
        return RouteNotFound("no such route")
    if error.status_code == 405:
        return MethodNotAllowed("no such method here")
    if error.status_code < 500:
        return BadRequest("bad request")
    return FleetmemError("internal error")


def _allowed(request: Request) -> str:
    """Every method of the path (RFC 9110, 10.2.1); the framework names only its first route's."""
    template = getattr(request.scope.get("route"), "path_format", "")
    methods = request.app.openapi()["paths"].get(template, {"get": None})
    return ", ".join(sorted(method.upper() for method in methods))
