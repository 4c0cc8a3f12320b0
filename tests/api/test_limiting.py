from collections.abc import AsyncIterator

import httpx
import pytest

from serve_app.asgi import create_asgi_app
from serve_app.core.rate_limits import LimitRules, RateLimit
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.world import World

MEMORY = {"agent_id": "a", "user_id": "u", "content": "what is limited"}
QUESTION = {"agent_id": "a", "user_id": "u", "query": "what"}


@pytest.fixture
def world() -> World:
    return World(
        rules=LimitRules(
            tenant=RateLimit(8, 60.0),
            agent_writes=RateLimit(3, 60.0),
            agent_searches=RateLimit(4, 60.0),
        )
    )


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    app = create_asgi_app(world.service, Settings(), PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        yield client


async def test_a_search_tells_how_its_limits_stand(client: httpx.AsyncClient):
    for left in (3, 2, 1, 0):
        answer = await client.post("/v1/memories/search", json=QUESTION)
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == '"tenant";q=8;w=60, "agent-searches";q=4;w=60'
        assert answer.headers["ratelimit"] == (
            f'"tenant";r={left + 4};t=60, "agent-searches";r={left};t=60'
        )
        assert answer.headers["x-ratelimit-limit"] == "4"
        assert answer.headers["x-ratelimit-remaining"] == str(left)


async def test_a_refusal_is_a_problem_that_says_when_to_come_again(
    client: httpx.AsyncClient, world: World
):
    for _ in range(4):
        assert (await client.post("/v1/memories/search", json=QUESTION)).status_code == 200
    world.advance(seconds=20)
    answer = await client.post("/v1/memories/search", json=QUESTION)
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "41"
    assert answer.headers["ratelimit"] == '"tenant";r=4;t=60, "agent-searches";r=0;t=41'
    assert answer.headers["x-ratelimit-remaining"] == "0"
    problem = answer.json()
    assert problem["code"] == "rate_limited"
    assert problem["detail"] == (
        "Search rate limit exceeded (4/minute, agent-searches). Retry in 41 seconds."
    )
    assert world.meter.total("rate_limited", limit="agent-searches", operation="search") == 1
    world.advance(seconds=41)
    assert (await client.post("/v1/memories/search", json=QUESTION)).status_code == 200


async def test_another_agents_name_helps_as_far_as_the_tenants_limit(client: httpx.AsyncClient):
    statuses = [
        (
            await client.post("/v1/memories/search", json=QUESTION | {"agent_id": f"a{n}"})
        ).status_code
        for n in range(12)
    ]
    assert statuses == [200] * 8 + [429] * 4


async def test_a_batch_counts_each_memory_for_its_agent(client: httpx.AsyncClient):
    batch = {"memories": [MEMORY, MEMORY, MEMORY | {"agent_id": "b"}]}
    answer = await client.post("/v1/memories/batch", json=batch)
    assert answer.status_code == 200
    assert answer.headers["ratelimit"] == '"tenant";r=5;t=60, "agent-writes";r=1;t=60'
    assert (await client.post("/v1/memories/batch", json=batch)).status_code == 429
    # And nothing of it was counted: one write is left, as before.
    assert (await client.post("/v1/memories", json=MEMORY)).status_code == 201
    assert (await client.post("/v1/memories", json=MEMORY)).status_code == 429


async def test_a_delete_is_a_write_of_the_agent_that_it_names(client: httpx.AsyncClient):
    for _ in range(3):
        answer = await client.delete(
            "/v1/memories/01890000-0000-7000-8000-000000000000", params={"agent_id": "a"}
        )
        assert answer.status_code == 404
        assert "ratelimit" in answer.headers
    answer = await client.post("/v1/memories", json=MEMORY)
    assert answer.status_code == 429


async def test_reads_fall_under_the_tenants_limit_alone(client: httpx.AsyncClient):
    for _ in range(8):
        answer = await client.get("/v1/memories/count", params={"agent_id": "a", "user_id": "u"})
        assert answer.status_code == 200
    assert answer.headers["ratelimit"] == '"tenant";r=0;t=60'
    answer = await client.get("/v1/memories/count", params={"agent_id": "a", "user_id": "u"})
    assert answer.status_code == 429


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics", "/openapi.json"])
async def test_who_names_no_memories_is_not_counted(client: httpx.AsyncClient, path: str):
    for _ in range(10):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


async def test_a_body_whose_fields_are_refused_counts(client: httpx.AsyncClient):
    for _ in range(4):
        assert (
            await client.post("/v1/memories/search", json=QUESTION | {"top_k": 0})
        ).status_code == 422
    assert (await client.post("/v1/memories/search", json=QUESTION)).status_code == 429


@pytest.mark.parametrize(
    "body", [{}, {"agent_id": 5}, {"memories": 7}, {"memories": ["x", None, {}]}, {"memories": []}]
)
async def test_a_strange_body_is_refused_for_what_it_is(client: httpx.AsyncClient, body: object):
    for path in ("/v1/memories/search", "/v1/memories", "/v1/memories/batch"):
        answer = await client.post(path, json=body)
        assert answer.status_code in (200, 422)
        assert answer.json().get("created", 0) == 0


async def test_a_store_that_is_away_stops_nobody(client: httpx.AsyncClient, world: World):
    world.tokens.down = True
    statuses = [
        (await client.post("/v1/memories/search", json=QUESTION)).status_code for _ in range(6)
    ]
    assert statuses == [200] * 4 + [429] * 2
    counted = world.meter.total("rate_limit_store_errors", error="database_unavailable")
    assert counted >= 1


async def test_what_is_set_for_a_tenant_replaces_the_settings(
    client: httpx.AsyncClient, world: World
):
    world.limits.rates[1] = {"agent_searches": "unlimited", "tenant": "2/minute"}
    statuses = [
        (await client.post("/v1/memories/search", json=QUESTION)).status_code for _ in range(3)
    ]
    assert statuses == [200, 200, 429]


async def test_without_limits_nothing_is_told_or_asked():
    world = World()
    app = create_asgi_app(world.service, Settings(), PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        answer = await client.post("/v1/memories/search", json=QUESTION)
    assert answer.status_code == 200
    assert not [name for name in answer.headers if "ratelimit" in name]
    assert world.tokens.requests == []
