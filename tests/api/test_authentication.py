import logging
import re
from datetime import timedelta

import httpx
import pytest
from fastapi.routing import APIRoute

from serve_app.api.authentication import PUBLIC, is_public, read_key
from serve_app.api.errors import TwoKeys
from serve_app.asgi import ROUTERS
from serve_app.core.keys import KeyDraft
from serve_app.core.principal import MEMORY_READ, MEMORY_WRITE
from tests.api.keyed import WHOSE, Keyed

READ = frozenset({MEMORY_READ})
STRANGER = "fm_live_" + "0" * 16 + "_" + "A" * 43
SEARCH = "/v1/memories/search"


@pytest.fixture
def keyed() -> Keyed:
    return Keyed()


async def ask(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    """One search, always under the same request id."""
    headers = {"x-request-id": "the-same", **headers}
    return await client.post(SEARCH, json=WHOSE | {"query": "q"}, headers=headers)


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "X-Memnex-API-Key"])
async def test_a_key_is_read_from_each_of_three_headers(keyed: Keyed, header: str):
    key = await keyed.key(MEMORY_READ)
    value = f"Bearer {key}" if header == "Authorization" else key
    assert (await ask(keyed.bare(), **{header: value})).status_code == 200


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], None),
        ([(b"authorization", b"bearer  k ")], "k"),
        ([(b"authorization", b"BEARER k"), (b"x-api-key", b"k")], "k"),
        ([(b"authorization", b"Basic eDp5"), (b"x-memnex-api-key", b"k")], "k"),
        ([(b"authorization", b"Basic eDp5")], None),
        ([(b"authorization", b"Bearer")], None),
        ([(b"x-api-key", b"\xff")], "\xff"),
        ([(b"x-api-key", b"k" * 9999)], "k" * 256),
        ([(b"x-api-key", b"")], ""),
    ],
)
def test_the_key_of_a_request(headers: list[tuple[bytes, bytes]], key: str | None):
    assert read_key(headers) == key


@pytest.mark.parametrize("names", [(b"authorization", b"x-api-key"), (b"x-api-key",) * 2])
def test_two_different_keys_are_refused(names: tuple[bytes, bytes]):
    with pytest.raises(TwoKeys):
        read_key([(names[0], b"Bearer k"), (names[1], b"l")])


async def test_two_keys_are_answered_400(keyed: Keyed):
    key = await keyed.key(MEMORY_READ)
    answer = await ask(keyed.carrying(key), **{"x-api-key": STRANGER})
    assert (answer.status_code, answer.json()["code"]) == (400, "two_keys")
    assert (await ask(keyed.carrying(key), **{"x-api-key": key})).status_code == 200


async def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(keyed: Keyed):
    registry, now = keyed.world.service.registry, keyed.world.now
    revoked = await registry.issue(KeyDraft(1, READ))
    await registry.revoke(1, revoked.key.key_id)
    expired = await registry.issue(KeyDraft(1, READ, expires_at=now + timedelta(seconds=1)))
    keyed.world.advance(seconds=1)
    good = await keyed.key(MEMORY_READ)
    wrong = [revoked.text, expired.text, good[:-1] + "_", STRANGER, "fm_live_x", "", "\xff" * 999]
    answers = [await ask(keyed.carrying(key)) for key in wrong] + [await ask(keyed.bare())]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(answer.headers.items()) for answer in answers}) == 1
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert answers[0].json()["code"] == "unauthenticated"


async def test_what_is_public_needs_no_key_and_everything_else_does(keyed: Keyed):
    client = keyed.bare()
    routes = [r for router in ROUTERS for r in router.routes if isinstance(r, APIRoute)]
    for route in routes:
        for method in route.methods:
            answer = await client.request(method, route.path)
            public = is_public(route.path)
            assert (answer.status_code == 401) is not public, route.path
            assert public is not route.path.startswith("/v1/")
    for path in PUBLIC:
        assert (await client.get(path)).status_code == 200
    for path in ("/nowhere", "/v1", "/docs/", "/-/routes", "/v1/memories/"):
        assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_pages_show_without_a_key(keyed: Keyed, page: str):
    client = keyed.bare()
    sources = re.findall(r'(?:src|href)="([^"]+)"', (await client.get(page)).text)
    assert sources
    assert {(await client.get(source)).status_code for source in sources} == {200}


async def test_the_body_is_not_read_before_the_key(keyed: Keyed):
    answer = await keyed.bare().post(SEARCH, content=b"x" * 10**7)
    assert answer.status_code == 401


async def test_a_tenant_sees_nothing_of_another(keyed: Keyed):
    scopes = (MEMORY_READ, MEMORY_WRITE)
    other = await keyed.world.keys.add_tenant("acme", keyed.world.now)
    ours = await keyed.client(*scopes)
    theirs = await keyed.client(*scopes, tenant_id=other.tenant_id)
    stored = (await ours.post("/v1/memories", json=WHOSE | {"content": "rain"})).json()
    assert (await ask(ours)).json()["total"] == 1
    assert (await ask(theirs)).json()["total"] == 0
    unknown = "00000000-0000-7000-8000-000000000000"
    same = {"x-request-id": "the-same"}
    for method, body in (("GET", None), ("PATCH", {"content": "sun"}), ("DELETE", None)):
        answers = [
            await theirs.request(
                method,
                f"/v1/memories/{memory_id}",
                json=body,
                headers=same,
                params={"agent_id": "a"},
            )
            for memory_id in (stored["id"], unknown)
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content
        assert answers[0].headers == answers[1].headers
    assert (await ours.get(f"/v1/memories/{stored['id']}")).json()["content"] == "rain"


async def test_a_suspended_tenants_key_is_answered_403(keyed: Keyed):
    tenant, issued = await keyed.world.service.registry.create_tenant_with_key("acme")
    client = keyed.carrying(issued.text)
    assert (await ask(client)).status_code == 200
    await keyed.world.service.registry.set_suspended(tenant.name, True)
    keyed.world.advance(seconds=2)
    answer = await ask(client)
    assert (answer.status_code, answer.json()["code"]) == (403, "tenant_suspended")


async def test_a_database_that_is_away_lets_nobody_in(keyed: Keyed):
    client = await keyed.client(MEMORY_READ)
    assert (await client.get("/v1/memories")).status_code == 200
    keyed.world.keys.is_down = True
    keyed.world.advance(seconds=2)
    answer = await client.get("/v1/memories")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert (await keyed.bare().get("/livez")).status_code == 200


async def test_who_fails_too_often_is_told_to_wait_and_good_keys_are_not():
    keyed = Keyed(failed_keys_per_minute=5)
    client, known, late = (
        keyed.bare(),
        await keyed.client(MEMORY_READ),
        await keyed.client(MEMORY_READ),
    )
    assert (await ask(known)).status_code == 200
    answers = [await ask(client, **{"x-api-key": f"{STRANGER[:-1]}{n}"}) for n in range(8)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3
    assert answers[-1].json()["code"] == "too_many_failed_keys"
    assert int(answers[-1].headers["retry-after"]) in range(1, 13)
    assert (await ask(known)).status_code == 200
    assert (await ask(late)).status_code == 200


async def test_a_flood_of_strangers_reaches_the_store_slowly():
    keyed = Keyed(failed_keys_per_minute=5)
    client = keyed.bare()
    for number in range(100):
        key = f"fm_live_{number:016x}_{'A' * 43}"
        await ask(client, **{"x-api-key": key})
    assert keyed.world.keys.looks <= 5 + 10 + 5
    meter = keyed.world.meter
    assert meter.total("keys_refused", code="unauthenticated") == 5
    assert meter.total("keys_refused", code="too_many_failed_keys") == 95


async def test_no_key_is_in_a_log_an_answer_or_a_metric(
    keyed: Keyed, caplog: pytest.LogCaptureFixture
):
    good = await keyed.key(MEMORY_READ)
    keys = [good, STRANGER, good[:-1] + "_", "sk-my-own-secret-0123456789"]
    with caplog.at_level(logging.DEBUG):
        answers = [await ask(keyed.carrying(key)) for key in keys]
        answers.append(await ask(keyed.carrying(good), **{"x-api-key": STRANGER}))
        keyed.world.keys.is_down = True
        keyed.world.advance(seconds=2)
        answers.append(await ask(keyed.carrying(good)))
    told = caplog.text + "".join(answer.text + str(answer.headers) for answer in answers)
    told += str(vars(keyed.world.meter))
    assert len(answers) == 6
    for key in keys:
        assert key not in told
        assert key[-20:] not in told


async def test_refused_keys_are_counted_by_code(keyed: Keyed):
    await ask(keyed.bare())
    await ask(keyed.carrying(STRANGER))
    assert keyed.world.meter.total("keys_refused", code="unauthenticated") == 2


async def test_a_flood_of_strangers_keeps_no_known_key_out():
    keyed = Keyed(failed_keys_per_minute=5)
    known, ended = await keyed.client(MEMORY_READ), await keyed.key(MEMORY_READ)
    assert (await ask(known)).status_code == 200
    client = keyed.bare()
    for number in range(50):
        await ask(client, **{"x-api-key": f"fm_live_{number:016x}_{'A' * 43}"})
    # What is remembered must be looked up again, while strangers have used up all look-ups.
    await keyed.world.service.registry.revoke(1, ended.split("_")[2])
    keyed.world.advance(seconds=2)
    assert (await ask(known)).status_code == 200
