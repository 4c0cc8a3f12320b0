"""Usage, quotas and rate limits of one tenant, over real HTTP and real Postgres."""

import httpx

from tests.service.running import RunningService, wait_until

MEMORY = {"agent_id": "usage", "user_id": "u", "content": "Zoë counts this."}


def test_usage_follows_what_is_stored(service: RunningService) -> None:
    with service.client() as client:
        # Maintenance may fold what other tests have left, and count it, in between.
        wait_until(lambda: change_usage(client) == [(1, 17), (0, 0)], 20)


def change_usage(client: httpx.Client) -> list[tuple[int, int]]:
    """What a write adds to memories and bytes, and what is left of it once it is forgotten."""
    before = read_usage(client)
    stored = client.post("/v1/memories", json=MEMORY).json()
    between = read_usage(client)
    client.delete(f"/v1/memories/{stored['id']}", params={"agent_id": "usage"})
    after = read_usage(client)
    return [(m - before[0], b - before[1]) for m, b in (between, after)]


def test_nothing_is_limited_by_default(service: RunningService) -> None:
    with service.client() as client:
        answer = client.get("/v1/memories/count", params={"agent_id": "a", "user_id": "u"})
        assert answer.status_code == 200
        assert not [name for name in answer.headers if "ratelimit" in name]


def read_usage(client: httpx.Client) -> tuple[int, int]:
    answer = client.get("/v1/usage")
    assert answer.status_code == 200, answer.text
    return answer.json()["memories"], answer.json()["bytes"]
