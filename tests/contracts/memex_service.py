"""memex's root, health, metrics and documentation."""

from functools import partial

import httpx

from tests.contracts.checks import CHECKS, Check, check


@check
async def root_names_service_version_and_docs(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.status_code == 200
    assert list(response.json()) == ["service", "version", "docs"]
    assert response.json()["docs"] == "/docs"


@check
async def health_is_200_with_status_db_and_version(client: httpx.AsyncClient) -> None:
    response = await client.get("/health")
    assert response.status_code == 200
    body = response.json()
    assert list(body) == ["status", "db", "version"]
    assert (body["status"], body["db"]) == ("ok", "ok")


@check
async def metrics_are_prometheus_text(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert "# TYPE " in response.text


async def page_is_served(path: str, client: httpx.AsyncClient) -> None:
    assert (await client.get(path)).status_code == 200


for path in ("/docs", "/redoc", "/openapi.json"):
    CHECKS.append(Check(f"serves {path}", partial(page_is_served, path)))


@check
async def openapi_lists_every_route(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/", "/health", "/v1/memories", "/v1/memories/search", "/v1/memories/count"} < set(
        paths
    )
    assert "delete" in paths["/v1/memories/{memory_id}"]
