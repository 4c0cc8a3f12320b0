"""The OpenAPI description: the settings' defaults, and every status with its codes."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from serve_app.api.authentication import is_public
from serve_app.api.errors import (
    ANSWERS,
    BadRequest,
    BodyTooLarge,
    BodyTooSlow,
    DuplicateKey,
    HeadersTooLarge,
    HostNotAllowed,
    InvalidEncoding,
    InvalidIdempotencyKey,
    MalformedJson,
    MethodNotAllowed,
    NestingTooDeep,
    NotReady,
    RouteNotFound,
    TwoKeys,
    UnsupportedMediaType,
    UriTooLong,
)
from serve_app.api.idempotency import HEADER
from serve_app.api.problems import MEDIA_TYPE, Problem
from serve_app.core.errors import (
    AnswerForgotten,
    Conflict,
    FleetmemError,
    Forbidden,
    InvalidInput,
    KeyNotFound,
    KeyReused,
    NameTaken,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    RateLimited,
    StillRunning,
    TenantNotFound,
    TenantSuspended,
    TooManyFailedKeys,
    Unauthenticated,
    Unavailable,
)
from serve_app.settings import Settings

Errors = frozenset[type[FleetmemError]]

KEEPING = ("/v1/memories", "/v1/memories/batch")
"""Where memories are stored."""

ISSUING = ("/v1/keys", "/v1/keys/{key_id}/rotate", "/v1/tenants")
"""Where a POST answers with a secret."""

NOBODYS: Errors = frozenset({RouteNotFound, MethodNotAllowed})
"""What a path or a method answers that no operation describes."""

OF_A_CALLER: Errors = frozenset(
    {TwoKeys, Unauthenticated, Forbidden, TenantSuspended, RateLimited, TooManyFailedKeys}
)
"""Of every route that asks who calls."""

KEY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "a key: `fm_live_…`"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "X-Memnex-API-Key": {"type": "apiKey", "in": "header", "name": "X-Memnex-API-Key"},
}
"""The three headers that may carry a key; one is enough."""

OF_A_BODY: Errors = frozenset(
    {MalformedJson, DuplicateKey, NestingTooDeep, BodyTooSlow, BodyTooLarge, InvalidInput}
)
OF_A_MEMORY: Errors = frozenset({NotFound, InvalidInput})
OF_A_CHANGE: Errors = frozenset({Conflict})
OF_A_TEXT: Errors = frozenset({QuotaExceeded})
"""Of what may make a tenant hold more."""
OF_A_CONDITION: Errors = frozenset({PreconditionFailed})
OF_A_KEY: Errors = frozenset({InvalidIdempotencyKey, StillRunning, AnswerForgotten, KeyReused})
"""Of every route that takes an Idempotency-Key."""
OF_READINESS: Errors = frozenset({NotReady})
OF_ALL: Errors = frozenset(
    {BadRequest, InvalidEncoding, UriTooLong, UnsupportedMediaType, HostNotAllowed}
    | {HeadersTooLarge, FleetmemError}
    | {error for error in ANSWERS if issubclass(error, Unavailable)} - OF_READINESS - OF_A_KEY
)


def describe(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The OpenAPI document of `app`, made once."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        schemas = document["components"]["schemas"]
        fields = schemas["SearchRequest"]["properties"]
        fields["top_k"]["default"] = settings.default_top_k
        fields["alpha"]["default"] = settings.default_alpha
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                operation["responses"].pop("422", None)
                operation["security"] = _list_keys(path)
                for status, codes in _refusals(path, method, operation):
                    operation["responses"][status] = _tell(status, codes)
        document["components"]["securitySchemes"] = KEY_SCHEMES
        app.openapi_schema = document
    return app.openapi_schema


def find_errors(path: str, method: str, takes_input: bool, takes_key: bool = False) -> Errors:
    """What an operation may answer besides its own; `takes_input` is parameters or a body.

    `takes_key`: it knows Idempotency-Key.
    """
    found = OF_ALL
    if path.startswith("/v1/"):
        found |= OF_A_CALLER
    if takes_key:
        found |= OF_A_KEY
    if takes_input:
        found |= {InvalidInput}
    if method in ("post", "patch", "put"):
        found |= OF_A_BODY
    if "{memory_id}" in path:
        found |= OF_A_MEMORY
        if method == "patch":
            found |= OF_A_CHANGE
        if method in ("patch", "delete"):
            found |= OF_A_CONDITION
    if "{key_id}" in path:
        found |= {KeyNotFound}
    if path.startswith("/v1/tenants"):
        found |= {TenantNotFound} if "{name}" in path else set()
        found |= {NameTaken} if method == "post" else set()
    if method == "patch" or (method == "post" and path in KEEPING):
        found |= OF_A_TEXT
    if method == "post" and path in ISSUING:
        found |= {InvalidIdempotencyKey}
    if path == "/readyz":
        found |= OF_READINESS
    return found


def _refusals(path: str, method: str, operation: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Each status with the codes that it stands for."""
    parameters = operation.get("parameters", ())
    takes_key = any(parameter["name"] == HEADER for parameter in parameters)
    takes_input = bool(parameters) or "requestBody" in operation
    errors = find_errors(path, method, takes_input, takes_key)
    statuses = sorted({ANSWERS[error].status for error in errors})
    for status in statuses:
        codes = sorted(error.code for error in errors if ANSWERS[error].status == status)
        yield str(status), codes


def _list_keys(path: str) -> list[dict[str, list[str]]]:
    """The schemes that an operation takes, any one of them; none where nobody needs a key."""
    return [] if is_public(path) else [{name: []} for name in KEY_SCHEMES]


def _tell(status: str, codes: list[str]) -> dict[str, Any]:
    phrase = HTTPStatus(int(status)).phrase
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        "description": f"{phrase}: {', '.join(f'`{code}`' for code in codes)}",
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
