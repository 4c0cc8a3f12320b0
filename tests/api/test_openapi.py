import re
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from serve_app.api.errors import ANSWERS
from serve_app.api.fields import CURSOR, Cursor, write_cursor
from serve_app.api.openapi import NOBODYS, find_errors
from serve_app.asgi import create_api
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.fakes.world import World

PATHS = (
    *("/readyz", "/v1/memories/{memory_id}", "/v1/keys/{key_id}"),
    *("/v1/tenants", "/v1/tenants/{name}"),
)


def properties(api: FastAPI, name: str) -> dict[str, Any]:
    return api.openapi()["components"]["schemas"][name]["properties"]


def test_defaults_of_a_search_are_those_of_the_settings(world: World):
    settings = Settings(default_top_k=7, default_alpha=0.25)
    api = create_api(world.service, settings, PrometheusMeter())
    fields = properties(api, "SearchRequest")
    assert (fields["top_k"]["default"], fields["alpha"]["default"]) == (7, 0.25)


def test_it_is_made_once(api: FastAPI):
    assert api.openapi() is api.openapi()


def refusals(api: FastAPI, path: str, method: str) -> dict[str, Any]:
    responses = api.openapi()["paths"][path][method]["responses"]
    return {status: told for status, told in responses.items() if int(status) >= 400}


def test_every_operation_tells_of_problems(api: FastAPI):
    for path, operations in api.openapi()["paths"].items():
        for method in operations:
            told = refusals(api, path, method)
            assert {"400", "414", "415", "421", "431", "500", "503"} <= set(told)
            for answer in told.values():
                assert list(answer["content"]) == ["application/problem+json"]


@pytest.mark.parametrize(
    ("path", "method", "own"),
    [
        ("/livez", "get", set()),
        ("/v1/memories", "get", {"422"}),
        ("/v1/memories", "post", {"408", "409", "410", "413", "422"}),
        ("/v1/memories/{memory_id}", "get", {"404", "422"}),
        ("/v1/memories/{memory_id}", "delete", {"404", "409", "410", "412", "422"}),
        ("/v1/memories/{memory_id}", "patch", {"404", "408", "409", "410", "412", "413", "422"}),
    ],
)
def test_an_operation_tells_of_its_own_refusals(
    api: FastAPI, path: str, method: str, own: set[str]
):
    everywhere = {"400", "414", "415", "421", "431", "500", "503"}
    if path.startswith("/v1/"):
        everywhere |= {"401", "403", "429"}
    assert set(refusals(api, path, method)) == everywhere | own


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/keys/{key_id}/rotate", "/v1/tenants"])
def test_where_a_secret_is_answered_a_key_is_refused(api: FastAPI, path: str):
    told = refusals(api, path, "post")
    assert "`invalid_idempotency_key`" in told["400"]["description"]
    assert "410" not in told


def test_a_status_names_its_codes(api: FastAPI):
    told = refusals(api, "/v1/memories", "post")
    assert told["413"]["description"] == "Request Entity Too Large: `body_too_large`"
    assert "`duplicate_key`" in told["400"]["description"]
    assert "`not_ready`" in refusals(api, "/readyz", "get")["503"]["description"]
    assert "`not_ready`" not in told["503"]["description"]


def test_every_error_of_the_table_is_some_operations_or_nobodys():
    found = {
        error
        for path in PATHS
        for method in ("get", "post", "patch")
        for error in find_errors(path, method, True, True)
    }
    assert found | NOBODYS == set(ANSWERS)
    assert not found & NOBODYS


def test_a_change_is_not_described_as_nullable(api: FastAPI):
    assert all("anyOf" not in field for field in properties(api, "MemoryPatch").values())
    assert properties(api, "MemoryPatch")["content"]["maxLength"] == 8000


@given(number=st.integers(0, 2**128 - 1), text=st.from_regex(CURSOR, fullmatch=True))
def test_what_a_cursor_looks_like_is_what_is_read(number: int, text: str):
    assert re.match(CURSOR, write_cursor(UUID(int=number)))
    assert TypeAdapter(Cursor).validate_python(text.rstrip("\n"))


def test_a_batch_describes_its_items(api: FastAPI):
    items = properties(api, "BatchRequest")["memories"]["items"]
    assert items["required"] == ["agent_id", "user_id", "content"]
    assert items["additionalProperties"] is False


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_pages_load_nothing_from_elsewhere(client: httpx.AsyncClient, page: str):
    html = (await client.get(page)).text
    sources = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(sources) >= 2
    for source in sources:
        assert source.startswith("/")
        assert not source.startswith("//")
        assert (await client.get(source)).status_code == 200


def test_every_operation_says_which_headers_may_carry_its_key(api: FastAPI):
    document = api.openapi()
    schemes = document["components"]["securitySchemes"]
    assert {"bearer", "x-api-key", "X-Memnex-API-Key"} == set(schemes)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            named = [name for choice in operation["security"] for name in choice]
            assert set(named) == (set(schemes) if path.startswith("/v1/") else set())
