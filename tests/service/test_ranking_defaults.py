"""A default that an operator sets ranks the searches of a running service that follow."""

from tests.service.running import RunningService, wait_until
from tests.test_key_commands import fleetmem

AGENT = "ranked"
WHOSE = {"agent_id": AGENT, "user_id": "u"}


def test_searches_follow_a_default(service: RunningService) -> None:
    ranking = ("tenant", "ranking", "default", "--agent", AGENT, "--profile")
    with service.client() as client:
        stored = client.post("/v1/memories", json={**WHOSE, "content": "Tea."}).json()

        def used() -> str:
            body = {**WHOSE, "query": "tea", "explain": True}
            [hit] = client.post("/v1/memories/search", json=body).json()["results"]
            return hit["explanation"]["profile"]

        for profile, expected in (("none", "decay@1"), ("hybrid", "hybrid@1"), ("none", "decay@1")):
            fleetmem(str(service.data_directory), *ranking, profile)
            wait_until(lambda expected=expected: used() == expected, 20)
        client.delete(f"/v1/memories/{stored['id']}", params={"agent_id": AGENT})
