from datetime import timedelta

import pytest

from serve_app.core.errors import EmbeddingUnavailable, InvalidInput
from serve_app.core.memory import Kind, Scope
from serve_app.core.profiles import Profile
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import SearchQuery
from serve_app.operations.search import search
from tests.fakes.world import SCOPE, World

SIMILARITY_ONLY = Profile("similarity", 1, RankingPolicy.from_alpha(1.0, 30.0))
RECENCY_ONLY = Profile("recency", 1, RankingPolicy.from_alpha(0.0, 30.0))


async def test_the_best_come_first_and_are_counted() -> None:
    world = World()
    await world.remember("the cat sleeps")
    rain = await world.remember("rain in spring")
    await world.remember("rain", Scope(1, "agent", "other"))
    hits = await search(world.ports, SearchQuery(SCOPE, "spring rain", 1, SIMILARITY_ONLY))
    assert [hit.memory for hit in hits] == [rain]
    assert world.meter.total("memory_operations", operation="search") == 1


async def test_only_the_asked_kind_is_found() -> None:
    world = World()
    await world.remember("rain")
    fact = await world.remember("rain", kind=Kind.SEMANTIC)
    query = SearchQuery(SCOPE, "rain", 5, SIMILARITY_ONLY, Kind.SEMANTIC)
    assert [hit.memory for hit in await search(world.ports, query)] == [fact]


async def test_ages_count_from_now_or_from_a_given_moment() -> None:
    world = World()
    memory = await world.remember("rain")
    world.now = memory.occurred_at + timedelta(days=30)
    [now] = await search(world.ports, SearchQuery(SCOPE, "rain", 1, RECENCY_ONLY))
    assert now.recency == pytest.approx(0.5)
    as_of = memory.occurred_at + timedelta(days=60)
    [later] = await search(world.ports, SearchQuery(SCOPE, "rain", 1, RECENCY_ONLY, as_of=as_of))
    assert later.recency == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("scope", "text", "field"),
    [
        (SCOPE, "\x00", "query"),
        (Scope(1, "\ud800", "user"), "rain", "agent_id"),
        (Scope(1, "agent", "\x00"), "rain", "user_id"),
    ],
)
async def test_what_postgres_cannot_hold_is_refused(scope: Scope, text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await search(World().ports, SearchQuery(scope, text, 1, SIMILARITY_ONLY))
    assert refusal.value.field == field


async def test_without_a_vector_there_is_no_answer() -> None:
    world = World()
    world.embedder.down = True
    with pytest.raises(EmbeddingUnavailable):
        await search(world.ports, SearchQuery(SCOPE, "rain", 1, SIMILARITY_ONLY))
