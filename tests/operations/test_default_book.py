import asyncio

from serve_app.core.ranking_default import WHOLE_TENANT, RankingDefault
from serve_app.operations.default_book import DefaultBook
from tests.fakes.ranking_defaults import InMemoryRankingDefaults
from tests.operations.fleet import Clock


def open_book() -> tuple[DefaultBook, InMemoryRankingDefaults, Clock]:
    clock, store = Clock(), InMemoryRankingDefaults()
    return DefaultBook(store, clock), store, clock


async def test_the_agents_profile_goes_before_its_tenants() -> None:
    book, store, _ = open_book()
    await store.put(1, RankingDefault(WHOLE_TENANT, "hybrid", None))
    await store.put(1, RankingDefault("a", "blend", None))
    await store.put(1, RankingDefault("german", None, "german"))
    found = {
        (tenant, agent): await book.find_profile(tenant, agent)
        for tenant in (1, 2)
        for agent in ("a", "b", "german")
    }
    assert found == {
        (1, "a"): "blend",
        (1, "b"): "hybrid",
        (1, "german"): "hybrid",
        (2, "a"): None,
        (2, "b"): None,
        (2, "german"): None,
    }


async def test_one_read_serves_everybody_for_a_while() -> None:
    book, store, clock = open_book()
    for tenant_id in range(100):
        assert await book.find_profile(tenant_id, "a") is None
    assert store.reads == 1
    await store.put(1, RankingDefault("a", "blend", None))
    clock.now += 5
    assert await book.find_profile(1, "a") is None
    await asyncio.sleep(0)
    assert await book.find_profile(1, "a") == "blend"
    assert store.reads == 2


async def test_what_cannot_be_read_stays_as_it_was() -> None:
    book, store, clock = open_book()
    await store.put(1, RankingDefault("a", "blend", None))
    await book.find_profile(1, "a")
    store.down = True
    clock.now += 6
    for _ in range(3):
        assert await book.find_profile(1, "a") == "blend"
        await asyncio.sleep(0)
    book, store, _ = open_book()
    store.down = True
    assert await book.find_profile(1, "a") is None
