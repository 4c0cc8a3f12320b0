from dataclasses import replace

import pytest

from serve_app.core.profiles import PROFILES, Profile
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import SearchQuery
from serve_app.operations.rerank import search_reranked
from serve_app.operations.search import search
from tests.fakes.reranker import FakeReranker
from tests.fakes.world import SCOPE, World

NEWEST = Profile("recency", 1, RankingPolicy.from_alpha(0.0, 30.0))
TALK = ("spring rain", "rain", "sun", "cloud")
"""From the oldest to the newest: the first ranking is the other way round."""


async def open_world(reranker: FakeReranker | None) -> World:
    world = World(reranker=reranker)
    for content in TALK:
        await world.remember(content)
    return world


def ask(top_k: int = 2, context: int = 0) -> SearchQuery:
    return SearchQuery(SCOPE, "spring rain", top_k, NEWEST, context=context)


async def test_the_reranker_orders_more_than_what_is_answered() -> None:
    reranker = FakeReranker()
    world = await open_world(reranker)
    found = await search_reranked(world.ports, ask())
    assert [hit.memory.content for hit in found.hits] == ["spring rain", "rain"]
    assert (found.scores, found.skipped) == ([2.0, 1.0], None)
    assert reranker.asked[0].texts == tuple(reversed(TALK))
    assert world.meter.total("searches_reranked", outcome="done") == 1
    assert world.meter.total("memory_operations", operation="search") == 1


async def test_it_is_given_no_more_than_its_candidates() -> None:
    reranker = FakeReranker(candidates=3)
    world = await open_world(reranker)
    found = await search_reranked(world.ports, ask())
    assert [hit.memory.content for hit in found.hits] == ["rain", "cloud"]
    # Nor fewer than are answered.
    assert len((await search_reranked(world.ports, ask(4))).hits) == 4


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
async def test_every_profile_can_be_reranked(profile: Profile) -> None:
    world = await open_world(FakeReranker())
    found = await search_reranked(world.ports, replace(ask(1), profile=profile))
    assert [hit.memory.content for hit in found.hits] == ["spring rain"]


async def test_it_reads_the_part_that_matched_best() -> None:
    reranker = FakeReranker()
    world = await open_world(reranker)
    long = "word " * 400
    await world.remember(long)
    await search_reranked(world.ports, ask())
    [hit, *_] = await search(world.ports, ask())
    assert reranker.asked[0].texts[0] == long[slice(*hit.span)] != long


async def change(reranker: FakeReranker, what: str) -> None:
    if what == "hangs":
        reranker.hangs, reranker.seconds = True, 0.01
    elif what == "down":
        reranker.down = True
    else:
        reranker.seconds = 0.0


@pytest.mark.parametrize(
    ("what", "skipped"),
    [("hangs", "deadline"), ("no time", "deadline"), ("down", "unavailable")],
)
async def test_without_its_scores_the_first_ranking_stays(what: str, skipped: str) -> None:
    reranker = FakeReranker()
    await change(reranker, what)
    world = await open_world(reranker)
    found = await search_reranked(world.ports, ask(context=1))
    assert found.hits == await search(world.ports, ask(context=1))
    assert (found.scores, found.skipped) == (None, skipped)
    assert world.meter.total("searches_reranked", outcome=skipped) == 1


async def test_without_a_reranker_the_first_ranking_stays() -> None:
    world = await open_world(None)
    found = await search_reranked(world.ports, ask())
    assert found.hits == await search(world.ports, ask())
    assert (found.scores, found.skipped) == (None, "not_configured")


async def test_context_is_fetched_for_what_is_answered() -> None:
    world = await open_world(FakeReranker())
    found = await search_reranked(world.ports, ask(1, context=1))
    [hit] = found.hits
    assert [near.content for near in hit.context or ()] == ["rain"]


async def test_an_empty_scope_asks_no_reranker() -> None:
    reranker = FakeReranker()
    found = await search_reranked(World(reranker=reranker).ports, ask())
    assert (found.hits, found.scores, reranker.asked) == ([], [], [])
