"""Tenants and keys from the door to Postgres: two replicas, real rows, time as the test says."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import ASGIApp

from serve_app.asgi import create_asgi_app
from serve_app.core.keys import KeyDraft
from serve_app.core.principal import MEMORY_READ, MEMORY_WRITE, OPERATOR, SCOPES
from serve_app.metering import PrometheusMeter
from serve_app.operations.key_ring import KeyRing
from serve_app.operations.registry import Registry
from serve_app.operations.service import Service
from serve_app.settings import Settings, load_settings
from serve_app.storage.connection import Pool, open_pool
from serve_app.storage.keys import PostgresKeys
from serve_app.storage.memories import PostgresMemories
from tests.api.conftest import open_client
from tests.fakes.world import World

WHOSE = {"agent_id": "a", "user_id": "u"}
SAME_ID = {"x-request-id": "the-same"}
UNKNOWN = "00000000-0000-7000-8000-000000000000"


class Replica:
    """One ingress replica over a pool that others share, as `world` tells the time."""

    def __init__(self, pool: Pool, settings: Settings, world: World) -> None:
        self.keys = PostgresKeys(pool)
        self.registry = Registry(self.keys, lambda: world.now, world.new_entropy)
        self.ring = KeyRing(self.keys, lambda: world.now, world.monotonic, open_allowed=False)
        ports = replace(world.ports, memories=PostgresMemories(pool, settings))
        service = Service(ports, self.registry, self.ring, world.service.defaults)
        self.app: ASGIApp = create_asgi_app(service, settings, PrometheusMeter(), world.meter)

    def client(self, key: str) -> httpx.AsyncClient:
        client = open_client(self.app)
        client.headers["authorization"] = f"Bearer {key}"
        return client


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def settings(fresh_dsn: str) -> Settings:
    return load_settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1, db_max_pool_size=2)


@pytest.fixture
async def replicas(settings: Settings, world: World) -> AsyncIterator[tuple[Replica, Replica]]:
    pool = await open_pool(settings)
    yield Replica(pool, settings, world), Replica(pool, settings, world)
    await pool.close()


async def operate(replica: Replica) -> httpx.AsyncClient:
    """A client with an operator's key."""
    return replica.client((await replica.registry.issue(KeyDraft(1, SCOPES))).text)


async def let_in(replica: Replica, name: str) -> httpx.AsyncClient:
    """The admin of a new tenant."""
    made = await (await operate(replica)).post("/v1/tenants", json={"name": name})
    return replica.client(made.json()["admin_key"]["key"])


async def test_one_tenant_meets_nothing_of_another(replicas: tuple[Replica, Replica]) -> None:
    ours, theirs = await let_in(replicas[0], "acme"), await let_in(replicas[1], "globex")
    stored = (await ours.post("/v1/memories", json=WHOSE | {"content": "green tea"})).json()
    search = WHOSE | {"query": "green tea"}
    assert (await ours.post("/v1/memories/search", json=search)).json()["total"] == 1
    assert (await theirs.post("/v1/memories/search", json=search)).json()["total"] == 0
    assert (await theirs.get("/v1/memories")).json()["results"] == []
    assert (await theirs.get("/v1/memories/count", params=WHOSE)).json()["count"] == 0
    for method, tail, body in (
        ("GET", "", None),
        ("GET", "?agent_id=a", None),
        ("GET", "/versions", None),
        ("PATCH", "", {"importance": 2}),
        ("DELETE", "?agent_id=a", None),
    ):
        answers = [
            await theirs.request(method, f"/v1/memories/{id_}{tail}", json=body, headers=SAME_ID)
            for id_ in (stored["id"], UNKNOWN)
        ]
        assert [answer.status_code for answer in answers] == [404, 404], (method, tail)
        assert answers[0].content == answers[1].content
        assert answers[0].headers == answers[1].headers
    assert (await ours.get(f"/v1/memories/{stored['id']}")).json() == stored


async def test_the_same_ids_in_two_tenants_are_two_scopes(
    replicas: tuple[Replica, Replica],
) -> None:
    ours, theirs = await let_in(replicas[0], "acme"), await let_in(replicas[1], "globex")
    for client, content in ((ours, "tea"), (theirs, "coffee")):
        await client.post("/v1/memories", json=WHOSE | {"content": content})
        found = await client.post("/v1/memories/search", json=WHOSE | {"query": "drink"})
        assert [hit["content"] for hit in found.json()["results"]] == [content]


async def test_a_revocation_reaches_every_replica_within_two_seconds(
    replicas: tuple[Replica, Replica], world: World
) -> None:
    admin = await let_in(replicas[0], "acme")
    issued = (await admin.post("/v1/keys", json={"scopes": [MEMORY_READ]})).json()
    clients = [replica.client(issued["key"]) for replica in replicas]
    assert [(await c.get("/v1/memories")).status_code for c in clients] == [200, 200]
    assert (await admin.delete(f"/v1/keys/{issued['key_id']}")).status_code == 204
    world.advance(seconds=2)
    assert [(await c.get("/v1/memories")).status_code for c in clients] == [401, 401]


async def test_a_suspension_reaches_every_replica_within_two_seconds(
    replicas: tuple[Replica, Replica], world: World
) -> None:
    admin, operator = await let_in(replicas[0], "acme"), await operate(replicas[1])
    assert (await admin.get("/v1/keys")).status_code == 200
    for status, answered in (("suspended", 403), ("active", 200)):
        await operator.patch("/v1/tenants/acme", json={"status": status})
        world.advance(seconds=2)
        assert (await admin.get("/v1/keys")).status_code == answered


async def test_a_rotated_key_and_one_that_expires(
    replicas: tuple[Replica, Replica], world: World
) -> None:
    admin = await let_in(replicas[0], "acme")
    body = {"scopes": [MEMORY_READ], "expires_at": "2026-01-01T01:00:00Z"}
    old = (await admin.post("/v1/keys", json=body)).json()
    world.advance(minutes=50)
    path = f"/v1/keys/{old['key_id']}/rotate"
    new = (await admin.post(path, json={"grace_seconds": 300})).json()
    assert new["expires_at"] == "2026-01-01T01:50:00Z"
    clients = [replicas[1].client(key["key"]) for key in (old, new)]
    seen: list[list[int]] = []
    for minutes in (4, 1, 55):
        world.advance(minutes=minutes)
        seen.append([(await client.get("/v1/memories")).status_code for client in clients])
    assert seen == [[200, 200], [401, 200], [401, 401]]


async def test_a_key_does_what_its_scopes_say(replicas: tuple[Replica, Replica]) -> None:
    admin = await let_in(replicas[0], "acme")
    reader = replicas[0].client(
        (await admin.post("/v1/keys", json={"scopes": [MEMORY_READ]})).json()["key"]
    )
    writing = await reader.post("/v1/memories", json=WHOSE | {"content": "x"})
    assert (writing.status_code, writing.json()["code"]) == (403, "missing_scope")
    assert MEMORY_WRITE in writing.json()["detail"]
    assert OPERATOR in (await admin.get("/v1/tenants")).json()["detail"]
    assert (await reader.get("/v1/memories")).status_code == 200


async def test_the_last_use_is_written_later(
    replicas: tuple[Replica, Replica], world: World
) -> None:
    admin = await let_in(replicas[0], "acme")
    world.advance(seconds=1)
    assert (await admin.get("/v1/keys")).json()["keys"][0]["last_used_at"] is None
    await replicas[0].ring.tell_uses()
    [key] = (await admin.get("/v1/keys")).json()["keys"]
    assert key["last_used_at"] == "2026-01-01T00:00:01Z"


async def test_a_memnex_key_opens_the_door_it_was_imported_for(
    replicas: tuple[Replica, Replica],
) -> None:
    text = "mx_live_kAb12Cd34_" + "s" * 43
    await replicas[0].registry.adopt(KeyDraft(1, frozenset({MEMORY_READ})), text)
    client = open_client(replicas[1].app)
    headers = {"X-Memnex-API-Key": text}
    assert (await client.get("/v1/memories", headers=headers)).status_code == 200
