import httpx
import pytest

from serve_app.core.principal import MEMORY_READ, OPERATOR, TENANT_ADMIN, TENANT_SCOPES
from tests.api.keyed import Keyed


@pytest.fixture
def keyed() -> Keyed:
    return Keyed()


@pytest.fixture
async def operator(keyed: Keyed) -> httpx.AsyncClient:
    return await keyed.client(OPERATOR)


async def test_a_tenant_is_made_with_a_key_that_makes_all_others(
    keyed: Keyed, operator: httpx.AsyncClient
):
    made = await operator.post("/v1/tenants", json={"name": "acme"})
    assert made.status_code == 201
    tenant = made.json()
    assert (tenant["name"], tenant["status"]) == ("acme", "active")
    assert set(tenant["admin_key"]["scopes"]) == TENANT_SCOPES
    admin = keyed.carrying(tenant["admin_key"]["key"])
    robot = (await admin.post("/v1/keys", json={"scopes": [MEMORY_READ]})).json()
    assert (await keyed.carrying(robot["key"]).get("/v1/memories")).status_code == 200
    names = [t["name"] for t in (await operator.get("/v1/tenants")).json()["tenants"]]
    assert names == ["default", "acme"]


async def test_a_tenant_is_suspended_and_resumed(keyed: Keyed, operator: httpx.AsyncClient):
    made = (await operator.post("/v1/tenants", json={"name": "acme"})).json()
    admin = keyed.carrying(made["admin_key"]["key"])
    for status, expected in (("suspended", 403), ("suspended", 403), ("active", 200)):
        answer = await operator.patch("/v1/tenants/acme", json={"status": status})
        assert (answer.status_code, answer.json()["status"]) == (200, status)
        keyed.world.advance(seconds=2)
        assert (await admin.get("/v1/keys")).status_code == expected


async def test_an_operator_does_not_lock_itself_out(operator: httpx.AsyncClient):
    answer = await operator.patch("/v1/tenants/default", json={"status": "suspended"})
    assert (answer.status_code, answer.json()["field"]) == (422, "status")


@pytest.mark.parametrize("name", ["Acme", "a b", "", "a" * 64, "a\n", 7, None])
async def test_a_name_that_could_be_mistaken_is_refused(operator: httpx.AsyncClient, name: object):
    answer = await operator.post("/v1/tenants", json={"name": name})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_a_name_is_given_once(operator: httpx.AsyncClient):
    answer = await operator.post("/v1/tenants", json={"name": "default"})
    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")


@pytest.mark.parametrize("name", ["nobody", "%25", "x" * 500, "DEFAULT"])
async def test_an_unknown_tenant_is_not_found(operator: httpx.AsyncClient, name: str):
    answer = await operator.patch(f"/v1/tenants/{name}", json={"status": "active"})
    assert (answer.status_code, answer.json()["code"]) == (404, "tenant_not_found")


async def test_tenants_are_the_operators_alone(keyed: Keyed):
    client = await keyed.client(TENANT_ADMIN, MEMORY_READ)
    for method, path in (
        ("GET", "/v1/tenants"),
        ("POST", "/v1/tenants"),
        ("PATCH", "/v1/tenants/default"),
    ):
        answer = await client.request(method, path, json={"name": "a", "status": "active"})
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
