from typing import get_args

import httpx
import pytest

from serve_app.api.key_bodies import ScopeName
from serve_app.core.principal import MEMORY_READ, MEMORY_WRITE, OPERATOR, SCOPES, TENANT_ADMIN
from tests.api.keyed import Keyed

ADMIN = (TENANT_ADMIN, MEMORY_READ)


@pytest.fixture
def keyed() -> Keyed:
    return Keyed()


@pytest.fixture
async def admin(keyed: Keyed) -> httpx.AsyncClient:
    return await keyed.client(*ADMIN)


async def test_a_key_is_made_used_listed_and_ended(keyed: Keyed, admin: httpx.AsyncClient):
    body = {"scopes": [MEMORY_READ], "label": "robot", "expires_at": "2027-01-01T00:00:00Z"}
    made = await admin.post("/v1/keys", json=body)
    assert made.status_code == 201
    issued = made.json()
    secret = issued.pop("key")
    robot = keyed.carrying(secret)
    assert (await robot.get("/v1/memories")).status_code == 200
    listed = await admin.get("/v1/keys")
    assert issued in listed.json()["keys"]
    assert secret[-43:] not in listed.text
    assert (issued["label"], issued["scopes"]) == ("robot", [MEMORY_READ])
    assert issued["expires_at"] == "2027-01-01T00:00:00Z"
    for _ in range(2):
        assert (await admin.delete(f"/v1/keys/{issued['key_id']}")).status_code == 204
    keyed.world.advance(seconds=2)
    assert (await robot.get("/v1/memories")).status_code == 401


async def test_no_secret_is_kept_for_an_idempotency_key(keyed: Keyed):
    client = await keyed.client(TENANT_ADMIN, OPERATOR)
    [own] = (await client.get("/v1/keys")).json()["keys"]
    posts: list[tuple[str, dict[str, object]]] = [
        ("/v1/keys", {"scopes": [TENANT_ADMIN]}),
        (f"/v1/keys/{own['key_id']}/rotate", {}),
        ("/v1/tenants", {"name": "acme"}),
    ]
    for path, body in posts:
        answer = await client.post(path, json=body, headers={"idempotency-key": "a"})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert (await client.get("/v1/keys")).json()["keys"] == [own]
    assert "acme" not in (await client.get("/v1/tenants")).text


async def test_a_test_key_says_so(admin: httpx.AsyncClient):
    made = await admin.post("/v1/keys", json={"scopes": [MEMORY_READ], "kind": "test"})
    assert made.json()["key"].startswith("fm_test_")


async def test_nobody_gives_more_than_they_have(admin: httpx.AsyncClient):
    for scopes in ([OPERATOR], [MEMORY_READ, MEMORY_WRITE]):
        answer = await admin.post("/v1/keys", json={"scopes": scopes})
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
        assert scopes[-1] in answer.json()["detail"]
    assert len((await admin.get("/v1/keys")).json()["keys"]) == 1


async def test_a_key_is_rotated_within_its_grace(keyed: Keyed, admin: httpx.AsyncClient):
    old = (await admin.post("/v1/keys", json={"scopes": [MEMORY_READ], "label": "r"})).json()
    answer = await admin.post(f"/v1/keys/{old['key_id']}/rotate", json={"grace_seconds": 60})
    assert answer.status_code == 201
    new = answer.json()
    assert (new["label"], new["scopes"]) == (old["label"], old["scopes"])
    clients = [keyed.carrying(old["key"]), keyed.carrying(new["key"])]
    keyed.world.advance(seconds=59)
    assert [(await c.get("/v1/memories")).status_code for c in clients] == [200, 200]
    keyed.world.advance(seconds=1)
    assert [(await c.get("/v1/memories")).status_code for c in clients] == [401, 200]
    again = await admin.post(f"/v1/keys/{old['key_id']}/rotate", json={})
    assert (again.status_code, again.json()["field"]) == (422, "key_id")


async def test_a_stronger_key_is_not_rotated(keyed: Keyed, admin: httpx.AsyncClient):
    strong = await keyed.key(*SCOPES)
    answer = await admin.post(f"/v1/keys/{strong.split('_')[2]}/rotate", json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


async def test_another_tenants_key_reads_like_an_unknown_one(
    keyed: Keyed, admin: httpx.AsyncClient
):
    _, theirs = await keyed.world.service.registry.create_tenant_with_key("acme")
    headers = {"x-request-id": "the-same"}
    for method, tail, body in (("DELETE", "", None), ("POST", "/rotate", {})):
        answers = [
            await admin.request(method, f"/v1/keys/{key_id}{tail}", json=body, headers=headers)
            for key_id in (theirs.key.key_id, "0" * 16, "%25", "x" * 500)
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
    assert theirs.key.key_id not in (await admin.get("/v1/keys")).text
    assert (await admin.delete("/v1/keys/%00")).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scopes": []},
        {"scopes": ["memory"]},
        {"scopes": [MEMORY_READ], "label": "x" * 129},
        {"scopes": [MEMORY_READ], "label": "\x00"},
        {"scopes": [MEMORY_READ], "expires_at": "2020-01-01T00:00:00Z"},
        {"scopes": [MEMORY_READ], "expires_at": "tomorrow"},
        {"scopes": [MEMORY_READ], "tenant": "acme"},
        {"scopes": [MEMORY_READ], "kind": "prod"},
    ],
)
async def test_a_key_that_means_nothing_is_refused(
    admin: httpx.AsyncClient, body: dict[str, object]
):
    answer = await admin.post("/v1/keys", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize("grace", [-1, 2_592_001, 1.5, "1"])
async def test_a_grace_has_limits(keyed: Keyed, admin: httpx.AsyncClient, grace: object):
    key = await keyed.key(MEMORY_READ)
    path = f"/v1/keys/{key.split('_')[2]}/rotate"
    assert (await admin.post(path, json={"grace_seconds": grace})).status_code == 422


async def test_keys_are_the_admins_alone(keyed: Keyed):
    for scopes in ((MEMORY_READ, MEMORY_WRITE), (OPERATOR,)):
        client = await keyed.client(*scopes)
        for method, path in (
            ("GET", "/v1/keys"),
            ("POST", "/v1/keys"),
            ("DELETE", "/v1/keys/x"),
            ("POST", "/v1/keys/x/rotate"),
        ):
            answer = await client.request(method, path, json={"scopes": [MEMORY_READ]})
            assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


async def test_an_open_service_makes_no_keys(client: httpx.AsyncClient):
    answer = await client.post("/v1/keys", json={"scopes": [MEMORY_READ]})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_the_scopes_that_can_be_asked_for_are_all_there_are():
    assert set(get_args(ScopeName)) == SCOPES
