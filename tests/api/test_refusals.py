import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from serve_app.api.refusals import answer_refusal


async def test_an_unknown_route_is_a_problem(client: httpx.AsyncClient):
    response = await client.get("/nope")
    assert (response.status_code, response.json()["code"]) == (404, "route_not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/memories", "GET, POST"),
        ("PUT", "/v1/memories/1", "DELETE, GET, PATCH"),
        ("POST", "/livez", "GET"),
        ("POST", "/docs", "GET"),
    ],
)
async def test_a_wrong_method_is_told_all_the_right_ones(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
):
    response = await client.request(method, path)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("status", "told", "code"), [(418, 400, b"bad_request"), (502, 500, b"internal_error")]
)
async def test_other_refusals_keep_their_text(status: int, told: int, code: bytes):
    request = Request({"type": "http"})
    response = await answer_refusal(request, HTTPException(status, "secret"))
    assert response.status_code == told
    assert code in response.body
    assert b"secret" not in response.body
