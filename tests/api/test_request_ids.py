import httpx
import pytest

from serve_app.logs import current_request_id


async def test_a_sane_id_is_kept(client: httpx.AsyncClient):
    response = await client.get("/nope", headers={"x-request-id": "trace-1:2.3_4"})
    assert response.headers["x-request-id"] == "trace-1:2.3_4"
    assert response.json()["request_id"] == "trace-1:2.3_4"


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, 'x"y', "é"])
async def test_another_one_is_replaced(client: httpx.AsyncClient, given: str):
    response = await client.get("/livez", headers={"x-request-id": given.encode()})
    assert len(response.headers["x-request-id"]) == 36


async def test_each_request_has_its_own(client: httpx.AsyncClient):
    ids = {(await client.get("/livez")).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


async def test_no_id_outlives_its_request(client: httpx.AsyncClient):
    await client.get("/livez")
    assert current_request_id() is None
