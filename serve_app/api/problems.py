"""Problem details (RFC 9457): how every refusal and failure leaves the HTTP door."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import JSONResponse

from serve_app.api.errors import NotReady, find_answer
from serve_app.core.errors import (
    FleetmemError,
    InvalidInput,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from serve_app.logs import current_request_id

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:fleetmem:problem:"

CHALLENGE = "Bearer"
"""What a 401 asks for (RFC 6750, section 3)."""

FIELD_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "null": "null",
    "string_type": "wrong_type",
    "int_type": "wrong_type",
    "float_type": "wrong_type",
    "bool_type": "wrong_type",
    "list_type": "wrong_type",
    "model_type": "wrong_type",
    "model_attributes_type": "wrong_type",
    "dict_type": "wrong_type",
    "int_parsing": "wrong_type",
    "int_from_float": "wrong_type",
    "uuid_parsing": "not_a_uuid",
    "uuid_type": "not_a_uuid",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "too_short": "too_short",
    "too_long": "too_long",
    "greater_than_equal": "too_small",
    "greater_than": "too_small",
    "less_than_equal": "too_large",
    "finite_number": "not_finite",
    "literal_error": "not_a_choice",
    "string_unicode": "unstorable_text",
    "unstorable_text": "unstorable_text",
    "not_a_moment": "not_a_moment",
    "no_time_zone": "no_time_zone",
    "not_a_cursor": "not_a_cursor",
    "no_change": "no_change",
    "unknown_weight": "unknown_field",
    "conflicting": "conflicting",
}
"""Our stable code of a field's fault, by the validator's word for it."""

OTHER_FIELD_CODE = "invalid"

LONGEST_GUESSED = 64
"""Characters of an unknown name that are compared: the cost grows with their square."""


MESSAGES = {
    "model_type": "Input should be an object",
    "model_attributes_type": "Input should be an object",
    "uuid_parsing": "Input should be a UUID",
}
"""Where the validator speaks of Python, or quotes what was sent."""


def is_none(value: object) -> bool:
    """Whether an optional field is left out of the answer."""
    return value is None


class FieldFault(BaseModel):
    """What is wrong with one field; `field` is its path, parts joined by dots."""

    field: str
    code: str
    message: str


class Problem(BaseModel):
    """The body of every answer from 400 on."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None
    field: str | SkipJsonSchema[None] = Field(default=None, exclude_if=is_none)
    errors: list[FieldFault] | SkipJsonSchema[None] = Field(default=None, exclude_if=is_none)
    checks: dict[str, str] | SkipJsonSchema[None] = Field(default=None, exclude_if=is_none)


class FieldsRefused(InvalidInput):
    """One or more fields are wrong; `faults` names each."""

    def __init__(self, faults: list[FieldFault]) -> None:
        first = faults[0]
        super().__init__(f"{first.field}: {first.message}", first.field)
        self.args = (faults,)
        self.faults = faults


def refuse_fields(errors: Sequence[Mapping[str, Any]], known: Iterable[str] = ()) -> FieldsRefused:
    """The refusal that pydantic's `errors` amount to, without the values that were sent.

    An unknown field is told with the nearest of the `known` ones.
    """
    names = list(known)
    return FieldsRefused([_fault(error, names) for error in errors])


def _fault(error: Mapping[str, Any], known: list[str]) -> FieldFault:
    place = [str(part) for part in error["loc"]]
    if place and place[0] in ("body", "query", "path"):
        place = place[1:] or place
    code = FIELD_CODES.get(error["type"], OTHER_FIELD_CODE)
    message = MESSAGES.get(error["type"]) or error["msg"]
    if error["type"] == "extra_forbidden":
        message = hint_unknown(place[-1], known)
    return FieldFault(field=".".join(place) or "body", code=code, message=message)


def hint_unknown(name: str, known: list[str]) -> str:
    """What to say of an unknown field: the nearest of the `known` ones, if any is near."""
    nearest = get_close_matches(name[:LONGEST_GUESSED], known, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"There is no such field here{hint}"


def describe_problem(error: Exception) -> Problem:
    """The problem of any exception; what is not ours or not the caller's keeps its text."""
    code, answer = find_answer(error)
    message = error.message if isinstance(error, FleetmemError) else ""
    problem = Problem(
        type=TYPE_PREFIX + code,
        title=answer.title,
        status=answer.status,
        detail=answer.detail or message,
        code=code,
        request_id=current_request_id(),
    )
    if isinstance(error, FieldsRefused):
        problem.field, problem.errors = error.field, error.faults
    elif isinstance(error, InvalidInput) and error.field:
        fault = FieldFault(field=error.field, code=OTHER_FIELD_CODE, message=error.message)
        problem.field, problem.errors = error.field, [fault]
    elif isinstance(error, NotReady):
        problem.checks = error.checks
    return problem


def answer_error(error: Exception) -> JSONResponse:
    """The response of any exception."""
    problem = describe_problem(error)
    headers: dict[str, str] = {}
    if isinstance(error, Unavailable | RateLimited):
        headers["retry-after"] = str(error.retry_after)
    elif isinstance(error, Unauthenticated):
        headers["www-authenticate"] = CHALLENGE
    return JSONResponse(problem.model_dump(), problem.status, headers, media_type=MEDIA_TYPE)
