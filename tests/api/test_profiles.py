"""Ranking profiles over HTTP: what each looks at, what is refused, what stands beside a hit."""

from typing import Any

import httpx
import pytest

from serve_app.core.profiles import PROFILES, FusionWeights
from tests.fakes.world import World

WHOSE = {"agent_id": "agent", "user_id": "user"}
PLAIN = ["similarity", "recency", "importance"]
FUSED = [*PLAIN, *FusionWeights.__slots__]


@pytest.fixture
async def talk(world: World) -> World:
    """Five memories of one session, a second apart."""
    for content in ("tea", "rain", "The order 4000 came.", "sun", "a cat"):
        await world.remember(content, session_id="monday")
    return world


async def search(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    body = {**WHOSE, "query": "order 4000", **fields}
    return await client.post("/v1/memories/search", json=body)


async def results(client: httpx.AsyncClient, **fields: Any) -> list[dict[str, Any]]:
    response = await search(client, **fields)
    assert response.status_code == 200, response.text
    return response.json()["results"]


@pytest.mark.parametrize("name", PROFILES)
async def test_the_signals_of_every_profile_add_up(
    client: httpx.AsyncClient, talk: World, name: str
) -> None:
    hits = await results(client, profile=name, explain=True)
    assert len(hits) == 5
    assert hits[0]["content"] == "The order 4000 came."
    for hit in hits:
        told = hit["explanation"]
        signals = told["signals"]
        assert told["profile"] == f"{name}@1"
        assert list(signals) == (FUSED if PROFILES[name].fusion else PLAIN)
        assert sum(part["weighted"] for part in signals.values()) == pytest.approx(
            hit["score"], abs=1e-4
        )
        for signal, part in signals.items():
            weight = PROFILES[name].weights[signal]
            assert part["weighted"] == pytest.approx(weight * part["raw"])


async def test_a_weight_takes_the_place_of_the_profile_s(
    client: httpx.AsyncClient, talk: World
) -> None:
    weights = {"similarity": 0.0, "words": 1.0}
    [hit, *others] = await results(client, profile="hybrid", weights=weights)
    assert (hit["content"], hit["score"]) == ("The order 4000 came.", 1.0)
    assert all(other["score"] == 0 for other in others)


async def test_the_default_profile_is_the_settings_and_alpha_means_decay(
    client: httpx.AsyncClient, talk: World
) -> None:
    [hit, *_] = await results(client, explain=True)
    assert hit["explanation"]["profile"] == "decay@1"
    [hit, *_] = await results(client, explain=True, profile="decay", alpha=0.5)
    assert hit["explanation"]["weights"]["similarity"] == 0.5


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"profile": "vector"}, "not_a_choice", "conversation"),
        ({"weights": {"wrods": 1.0}}, "unknown_field", "words"),
        ({"weights": {"words": None}}, "null", "words"),
        ({"weights": {"words": 1.5}}, "too_large", "1"),
        ({"weights": {"half_life_days": 0.0}}, "too_small", "0.001"),
        ({"weights": 3}, "wrong_type", "object"),
        ({"include_context": 6}, "too_large", "5"),
        ({"profile": "hybrid", "alpha": 0.5}, "conflicting", "alpha"),
        ({"profile": "blend", "importance_weight": 0.5}, "conflicting", "importance_weight"),
        ({"alpha": 0.5, "weights": {"words": 0.1}}, "conflicting", "not both"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    client: httpx.AsyncClient, fields: dict[str, Any], code: str, said: str
) -> None:
    response = await search(client, **fields)
    assert response.status_code == 422
    [fault] = response.json()["errors"]
    assert fault["code"] == code
    assert said in fault["message"]


@pytest.mark.parametrize("name", PROFILES)
async def test_context_stands_beside_a_hit_and_uses_up_no_place(
    client: httpx.AsyncClient, talk: World, name: str
) -> None:
    [first, second] = await results(client, profile=name, top_k=2, include_context=1)
    assert [near["content"] for near in first["context"]] == ["rain", "sun"]
    assert "context" in second
    assert "context" not in first["context"][0]
    assert first["context"][0]["score"] is None
    assert first["session_id"] == "monday"
    [bare] = await results(client, profile=name, top_k=1)
    assert "context" not in bare


async def test_a_session_is_stored_one_by_one_and_in_a_batch(client: httpx.AsyncClient) -> None:
    body = {**WHOSE, "content": "tea", "session_id": "s-1"}
    stored = (await client.post("/v1/memories", json=body)).json()
    assert stored["session_id"] == "s-1"
    read = (await client.get(f"/v1/memories/{stored['id']}")).json()
    assert read["session_id"] == "s-1"
    batch = (await client.post("/v1/memories/batch", json={"memories": [body]})).json()
    assert batch["results"][0]["memory"]["session_id"] == "s-1"
    plain = (await client.post("/v1/memories", json={**WHOSE, "content": "tea"})).json()
    assert "session_id" not in plain
    refused = await client.post("/v1/memories", json={**body, "session_id": ""})
    assert refused.status_code == 422
