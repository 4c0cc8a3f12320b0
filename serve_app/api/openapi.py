"""The OpenAPI description: the settings' defaults, and problems as they are sent."""

from typing import Any

from fastapi import FastAPI

from serve_app.api.problems import MEDIA_TYPE, Problem
from serve_app.settings import Settings

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "the request is refused; see `code`"},
    "5XX": {"model": Problem, "description": "the service cannot answer now; see `code`"},
}
"""What every route may answer besides its own."""


def describe(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The OpenAPI document of `app`, made once."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        fields = document["components"]["schemas"]["SearchRequest"]["properties"]
        fields["top_k"]["default"] = settings.default_top_k
        fields["alpha"]["default"] = settings.default_alpha
        for path in document["paths"].values():
            for operation in path.values():
                _tell_problems(operation["responses"])
        app.openapi_schema = document
    return app.openapi_schema


def _tell_problems(responses: dict[str, Any]) -> None:
    for status in PROBLEM_RESPONSES:
        content = responses[str(status)]["content"]
        content[MEDIA_TYPE] = content.pop(next(iter(content)))
