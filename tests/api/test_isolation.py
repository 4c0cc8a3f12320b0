"""Over HTTP another tenant's memory is an unknown one, to the byte."""

from uuid import UUID, uuid4

import httpx
import pytest

from serve_app.core.principal import MEMORY_ERASE, MEMORY_READ, MEMORY_WRITE
from tests.api.keyed import WHOSE, Keyed

ALL = (MEMORY_READ, MEMORY_WRITE, MEMORY_ERASE)
BODIES = {"PATCH": {"importance": 0.9}}


@pytest.fixture
def keyed() -> Keyed:
    return Keyed()


async def tell(client: httpx.AsyncClient, method: str, path: str, memory_id: str | UUID) -> str:
    """The whole answer, headers included, but for the names of the memory and of the request."""
    address = path.format(memory_id)
    if method == "DELETE":
        address += "?agent_id=a"
    answer = await client.request(method, address, json=BODIES.get(method))
    text = f"{answer.status_code}\n{sorted(answer.headers.multi_items())}\n{answer.text}"
    return text.replace(str(memory_id), "ID").replace(answer.headers["x-request-id"], "REQUEST")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/memories/{}"),
        ("GET", "/v1/memories/{}/versions"),
        ("PATCH", "/v1/memories/{}"),
        ("DELETE", "/v1/memories/{}"),
    ],
)
async def test_another_tenants_memory_is_an_unknown_one(
    keyed: Keyed, method: str, path: str
) -> None:
    ours = await keyed.client(*ALL)
    theirs = await keyed.client(*ALL, tenant_id=2)
    made = await theirs.post("/v1/memories", json={**WHOSE, "content": "a secret"})
    memory_id = made.json()["id"]
    crossed = await tell(ours, method, path, memory_id)
    assert crossed.startswith("404")
    assert crossed == await tell(ours, method, path, uuid4())
    assert (await theirs.get(f"/v1/memories/{memory_id}")).json()["content"] == "a secret"


async def test_searches_lists_and_counts_show_ones_own(keyed: Keyed) -> None:
    for tenant_id in (1, 2):
        client = await keyed.client(*ALL, tenant_id=tenant_id)
        await client.post("/v1/memories", json={**WHOSE, "content": f"of tenant {tenant_id}"})
    for tenant_id in (1, 2):
        client = await keyed.client(*ALL, tenant_id=tenant_id)
        found = await client.post("/v1/memories/search", json={**WHOSE, "query": "tenant"})
        listed = await client.get("/v1/memories")
        for answer in (found.text, listed.text):
            assert f"of tenant {tenant_id}" in answer
            assert f"of tenant {3 - tenant_id}" not in answer
