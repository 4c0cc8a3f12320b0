import httpx
import pytest

from serve_app.core.rate_limits import LimitRules, RateLimit
from serve_app.core.usage import Quota
from tests.fakes.world import World

MEMORY = {"agent_id": "a", "user_id": "u", "content": "Zoë keeps this."}


@pytest.fixture
def world() -> World:
    return World(rules=LimitRules(agent_writes=RateLimit(60, 60.0)))


async def test_usage_tells_what_is_held_and_what_may_be(client: httpx.AsyncClient, world: World):
    world.memories.quotas[1] = Quota(10, None)
    assert (await client.post("/v1/memories", json=MEMORY)).status_code == 201
    answer = await client.get("/v1/usage")
    assert answer.status_code == 200
    assert answer.json() == {
        "memories": 1,
        "bytes": 16,
        "quota_memories": 10,
        "quota_bytes": None,
        "limits": {
            "tenant": None,
            "key": None,
            "agent_writes": "60/minute",
            "agent_searches": None,
            "agent_reads": None,
        },
    }


async def test_a_full_tenant_gets_403_and_can_make_room(client: httpx.AsyncClient, world: World):
    world.memories.quotas[1] = Quota(1, None)
    stored = (await client.post("/v1/memories", json=MEMORY)).json()
    refused = await client.post("/v1/memories", json=MEMORY)
    assert refused.status_code == 403
    assert refused.json()["code"] == "quota_exceeded"
    assert "forget memories" in refused.json()["detail"]
    batch = await client.post("/v1/memories/batch", json={"memories": [MEMORY]})
    assert batch.json()["results"][0]["error"]["code"] == "quota_exceeded"
    await client.delete(f"/v1/memories/{stored['id']}", params={"agent_id": "a"})
    assert (await client.post("/v1/memories", json=MEMORY)).status_code == 201


async def test_a_longer_content_needs_room_too(client: httpx.AsyncClient, world: World):
    stored = (await client.post("/v1/memories", json=MEMORY)).json()
    world.memories.quotas[1] = Quota(None, 20)
    path = f"/v1/memories/{stored['id']}"
    assert (await client.patch(path, json={"content": "n" * 21})).status_code == 403
    assert (await client.patch(path, json={"content": "n" * 20})).status_code == 200
