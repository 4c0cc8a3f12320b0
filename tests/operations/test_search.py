from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from serve_app.core.errors import DatabaseUnavailable, EmbeddingUnavailable, InvalidInput
from serve_app.core.memory import Kind, Scope
from serve_app.core.profiles import FusionWeights, Profile
from serve_app.core.ranking import Candidate, RankingPolicy
from serve_app.core.search import QuestionTime, SearchQuery, VectorSearch
from serve_app.operations.search import add_context, search
from tests.fakes.world import SCOPE, World

SIMILARITY_ONLY = Profile("similarity", 1, RankingPolicy.from_alpha(1.0, 30.0))
RECENCY_ONLY = Profile("recency", 1, RankingPolicy.from_alpha(0.0, 30.0))
DAY_3 = datetime(2026, 1, 3, tzinfo=UTC)


def by(**weights: float) -> Profile:
    """A profile of signals beyond similarity and recency alone."""
    return Profile("fused", 1, RankingPolicy(0.0, 0.0, 0.0), FusionWeights(**weights))


class AskedCalendar:
    """Implements ports.Calendar: every question asks for a time, and it notes which were asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, datetime]] = []

    def read(self, question: str, now: datetime) -> QuestionTime:
        self.asked.append((question, now))
        return QuestionTime(time_words=("yesterday",))


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


async def test_who_asks_and_which_model_made_the_vector_is_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    real, asked = world.memories.search, list[VectorSearch]()

    async def note(search: VectorSearch) -> list[Candidate]:
        asked.append(search)
        return await real(search)

    monkeypatch.setattr(world.memories, "search", note)
    for profile in (SIMILARITY_ONLY, by(words=1.0)):
        await search(world.ports, SearchQuery(SCOPE, "rain", 3, profile))
    assert [(one.scope, one.model, one.top_k) for one in asked] == [(SCOPE, "fake", 3)] * 2
    assert world.embedder.tenants == [SCOPE.tenant_id] * 2


async def test_words_count_where_a_profile_weighs_them() -> None:
    world = World()
    sun = await world.remember("sun after the rain", importance=0.0)
    await world.remember("rain", importance=1.0)
    [best] = await search(world.ports, SearchQuery(SCOPE, "sun", 1, by(words=1.0)))
    assert (best.memory, best.score) == (sun, 1.0)
    assert world.meter.total("memory_operations", operation="search") == 1


@pytest.mark.parametrize(("as_of", "found"), [(None, "cloud"), (DAY_3, "sun")])
async def test_dates_are_read_as_of_the_moment_that_ages_count_from(
    as_of: datetime | None, found: str
) -> None:
    world = World()
    for content in ("rain", "sun", "cloud", "snow"):
        await world.remember(content)
        world.advance(days=1)
    world.advance(days=-1)
    query = SearchQuery(SCOPE, "What fell yesterday?", 1, by(date=1.0), as_of=as_of)
    [best] = await search(world.ports, query)
    assert (best.memory.content, best.score) == (found, 1.0)


@pytest.mark.parametrize("weight", ["date", "time_words"])
async def test_a_question_is_read_for_its_time_only_where_that_counts(weight: str) -> None:
    world, calendar = World(), AskedCalendar()
    ports = replace(world.ports, calendar=calendar)
    told = await world.remember("rain yesterday")
    await world.remember("rain today")
    await search(ports, SearchQuery(SCOPE, "rain", 2, by(words=1.0, session=1.0)))
    assert calendar.asked == []
    hits = await search(ports, SearchQuery(SCOPE, "rain", 2, by(**{weight: 1.0})))
    assert calendar.asked == [("rain", world.now)]
    assert [hit.memory for hit in hits if hit.score] == ([told] if weight == "time_words" else [])


async def test_each_hit_comes_with_its_own_neighbours_where_they_are_asked_for() -> None:
    world = World()
    rain, sun, snow, fog = [await world.remember(word) for word in ("rain", "sun", "snow", "fog")]
    query = SearchQuery(SCOPE, "rain", 4, RECENCY_ONLY, context=1)
    hits = await search(world.ports, query)
    assert [(hit.memory, hit.context) for hit in hits] == [
        (fog, (snow,)),
        (snow, (sun, fog)),
        (sun, (rain, snow)),
        (rain, (sun,)),
    ]
    plain = await search(world.ports, replace(query, context=0))
    assert plain == [replace(hit, context=None) for hit in hits]


async def test_storage_is_asked_for_neighbours_only_if_there_can_be_any() -> None:
    world = World()
    await world.remember("rain")
    query = SearchQuery(SCOPE, "rain", 1, SIMILARITY_ONLY)
    hits = await search(world.ports, query)
    world.memories.down = True
    assert await add_context(world.ports, query, hits) == hits
    assert await add_context(world.ports, replace(query, context=1), []) == []
    with pytest.raises(DatabaseUnavailable):
        await add_context(world.ports, replace(query, context=1), hits)
