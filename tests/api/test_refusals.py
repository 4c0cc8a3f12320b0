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


@pytest.mark.parametrize(
    ("method", "path", "body", "hint"),
    [
        (
            "PATCH",
            "/v1/memories/01890000-0000-7000-8000-000000000000",
            {"contents": "x"},
            "content",
        ),
        ("POST", "/v1/memories/batch", {"memory": []}, "memories"),
        ("GET", "/v1/memories?agent=a", None, "agent_id"),
    ],
)
async def test_an_unknown_field_is_told_with_the_nearest_one(
    client: httpx.AsyncClient, method: str, path: str, body: object, hint: str
):
    response = await client.request(method, path, json=body)
    assert response.status_code == 422
    told = [fault for fault in response.json()["errors"] if fault["code"] == "unknown_field"]
    assert [fault["message"] for fault in told] == [
        f"There is no such field here; did you mean {hint}?"
    ]


async def test_a_name_without_end_is_not_compared_in_full(client: httpx.AsyncClient):
    body = {"content" + "a" * 60_000: 1}
    response = await client.patch("/v1/memories/01890000-0000-7000-8000-000000000000", json=body)
    assert response.json()["errors"][0]["code"] == "unknown_field"


@pytest.mark.parametrize("path", ["/v1/memories/", "/livez/", "/static-offline-docs"])
async def test_a_slash_too_many_leads_nowhere(client: httpx.AsyncClient, path: str):
    response = await client.get(path, headers={"host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (404, "route_not_found")
    assert "location" not in response.headers
