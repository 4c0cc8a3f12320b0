"""The one table of HTTP answers: which error gives which status, and the door's own errors.

A code is stable and documented in docs/errors.md. Nothing here carries what the caller sent.
"""

from dataclasses import dataclass

from serve_app.core.errors import (
    AnswerForgotten,
    Conflict,
    DatabaseUnavailable,
    DeadlineExceeded,
    EmbeddingUnavailable,
    FleetmemError,
    Forbidden,
    InvalidInput,
    KeyNotFound,
    KeyReused,
    ModelChanged,
    NameTaken,
    NotFound,
    Overloaded,
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


class MalformedJson(FleetmemError):
    """The body is not one JSON object (RFC 8259; NaN and Infinity are not JSON)."""

    code = "malformed_json"


class DuplicateKey(FleetmemError):
    """An object names one key twice; which value was meant cannot be known."""

    code = "duplicate_key"


class NestingTooDeep(FleetmemError):
    """Objects or arrays lie too deep in one another."""

    code = "nesting_too_deep"


class InvalidEncoding(FleetmemError):
    """The body or the query string is not UTF-8."""

    code = "invalid_encoding"


class BadRequest(FleetmemError):
    """The request is broken in a way that no other code names."""

    code = "bad_request"


class TwoKeys(FleetmemError):
    """The request carries two different keys; which caller is meant cannot be known."""

    code = "two_keys"


class InvalidIdempotencyKey(FleetmemError):
    """The header Idempotency-Key is empty, too long, given twice, or not printable ASCII."""

    code = "invalid_idempotency_key"


class RouteNotFound(FleetmemError):
    """Nothing is served at this path."""

    code = "route_not_found"


class MethodNotAllowed(FleetmemError):
    """The path exists, but not with this method."""

    code = "method_not_allowed"


class BodyTooSlow(FleetmemError):
    """The body did not arrive within the time of a request; nothing was begun."""

    code = "body_too_slow"


class UriTooLong(FleetmemError):
    """Path and query have more bytes than any route needs."""

    code = "uri_too_long"


class HostNotAllowed(FleetmemError):
    """The Host header names another service than this one."""

    code = "host_not_allowed"


class HeadersTooLarge(FleetmemError):
    """There are too many headers, or they are too long."""

    code = "headers_too_large"


class BodyTooLarge(FleetmemError):
    """The body has more bytes than the route reads."""

    code = "body_too_large"


class UnsupportedMediaType(FleetmemError):
    """The body does not claim to be plain JSON."""

    code = "unsupported_media_type"


class NotReady(Unavailable):
    """A dependency does not answer; `checks` holds `ok` or an error's code by dependency."""

    code = "not_ready"

    def __init__(self, checks: dict[str, str]) -> None:
        super().__init__("not ready")
        self.args = (checks,)
        self.checks = checks


@dataclass(frozen=True, slots=True)
class Answer:
    """How one class of errors is told; `detail` None lets the error's own message speak."""

    status: int
    title: str
    detail: str | None = None


ANSWERS: dict[type[FleetmemError], Answer] = {
    MalformedJson: Answer(400, "The body is not a JSON object"),
    DuplicateKey: Answer(400, "A key is given twice"),
    NestingTooDeep: Answer(400, "The body is nested too deep"),
    InvalidEncoding: Answer(400, "Not UTF-8"),
    InvalidIdempotencyKey: Answer(400, "Not an idempotency key"),
    BadRequest: Answer(400, "Bad request", "The request cannot be read."),
    TwoKeys: Answer(
        400, "Two different keys", "Send one key, in one of the headers that may carry it."
    ),
    Unauthenticated: Answer(
        401, "A valid key is needed", "Send a valid key as Authorization: Bearer <key>."
    ),
    Forbidden: Answer(403, "The key lacks a scope"),
    TenantSuspended: Answer(
        403, "The tenant is suspended", "The key's tenant is suspended; its memories are kept."
    ),
    QuotaExceeded: Answer(
        403,
        "The quota is used up",
        "The tenant may keep no more; forget memories, or ask the operator. See GET /v1/usage.",
    ),
    NotFound: Answer(404, "Memory not found", "Memory not found or does not belong to this agent."),
    KeyNotFound: Answer(404, "Key not found", "There is no such key in this tenant."),
    TenantNotFound: Answer(404, "Tenant not found", "There is no tenant of this name."),
    RouteNotFound: Answer(404, "Nothing is here", "No route has this path; see /docs."),
    MethodNotAllowed: Answer(
        405, "Method not allowed", "This path does not take this method; see the Allow header."
    ),
    BodyTooSlow: Answer(
        408, "The body came too slowly", "The body did not arrive within the time of a request."
    ),
    Conflict: Answer(
        409, "The memory changed meanwhile", "The memory was changed by somebody else; try again."
    ),
    StillRunning: Answer(
        409,
        "The request is still running",
        "The first request under this Idempotency-Key has not come to its end; try again.",
    ),
    AnswerForgotten: Answer(
        410,
        "What was written is forgotten",
        "The memory that this Idempotency-Key's request wrote has been forgotten since.",
    ),
    PreconditionFailed: Answer(
        412, "Another version", "The memory is in none of the versions that If-Match names."
    ),
    NameTaken: Answer(409, "It exists already"),
    BodyTooLarge: Answer(413, "The body is too large"),
    UriTooLong: Answer(414, "The URI is too long"),
    UnsupportedMediaType: Answer(
        415,
        "Unsupported media type",
        "Send the body with Content-Type: application/json and without Content-Encoding.",
    ),
    HostNotAllowed: Answer(
        421, "Not this host", "The Host header names another service; see allowed_hosts."
    ),
    InvalidInput: Answer(422, "Invalid input"),
    KeyReused: Answer(
        422,
        "The key belongs to another request",
        "This Idempotency-Key came with another method, path or body before; use a new one.",
    ),
    RateLimited: Answer(429, "Too many requests"),
    TooManyFailedKeys: Answer(
        429, "Too many requests without a valid key", "Wait, and come back with a valid key."
    ),
    HeadersTooLarge: Answer(431, "The headers are too large"),
    FleetmemError: Answer(
        500, "Internal error", "Something went wrong here; the log has it under the request id."
    ),
    Unavailable: Answer(503, "Unavailable", "A part of the service cannot answer now; try again."),
    DatabaseUnavailable: Answer(
        503, "The database is unavailable", "The database cannot answer now; try again."
    ),
    EmbeddingUnavailable: Answer(
        503, "Embedding is unavailable", "No vector can be made of the text now; try again."
    ),
    ModelChanged: Answer(
        503, "The model was changed", "The embedding model was changed meanwhile; try again."
    ),
    Overloaded: Answer(503, "Overloaded", "More is asked than can be done now; try again later."),
    DeadlineExceeded: Answer(
        503, "Deadline exceeded", "No answer came within the time of a request; try again."
    ),
    NotReady: Answer(503, "Not ready", "A dependency does not answer; see checks."),
}
"""A class that is not listed is told as its nearest listed ancestor, under that one's code."""


def find_answer(error: Exception) -> tuple[str, Answer]:
    """The code and the answer of any exception; one that is not ours is an internal error."""
    for ancestor in type(error).__mro__:
        if ancestor in ANSWERS:
            return ancestor.code, ANSWERS[ancestor]
    return FleetmemError.code, ANSWERS[FleetmemError]
