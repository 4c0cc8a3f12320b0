from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from serve_app.core.errors import ModelChanged, NotFound, PreconditionFailed
from serve_app.core.memory import Memory, MemoryChanges, MemoryDraft, Scope
from serve_app.core.page import MemoryFilter
from serve_app.core.principal import Principal
from serve_app.core.profiles import DECAY, PROFILES
from serve_app.core.rate_limits import LimitRules, RateLimit
from serve_app.core.search import SearchQuery
from serve_app.core.usage import Quota, Usage
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.service import Service
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.models import OneModel
from tests.fakes.reranker import FakeReranker
from tests.fakes.world import SCOPE, World

ME = Principal()
ANY = SearchQuery(SCOPE, "rain", 5, PROFILES[DECAY])
KEY = IdempotencyKey(1, "key", b"digest")
SNOW = MemoryChanges(content="snow")


async def test_a_memory_lives_through_every_verb() -> None:
    service = World().service
    memory = (await service.remember(MemoryDraft(SCOPE, "rain"))).memory
    [second] = await service.remember_many([MemoryDraft(SCOPE, "sun")])
    assert isinstance(second, Written)
    assert await service.count(SCOPE) == 2
    assert await service.get(ME, memory.id) == memory
    page = await service.page(MemoryFilter(ME.tenant_id), 10, None)
    assert page.memories == (second.memory, memory)
    older = await service.page(MemoryFilter(ME.tenant_id), 10, second.memory.id)
    assert older.memories == (memory,)
    [hit, _] = await service.search(ANY)
    assert hit.memory == memory
    revised = await service.revise(ME, memory.id, SNOW)
    assert await service.get(ME, memory.id) == revised.memory
    versions = await service.page_versions(ME, memory.id, 10, None)
    assert [version.content for version in versions] == ["snow", "rain"]
    assert await service.page_versions(ME, memory.id, 10, 2) == versions[1:]
    assert await service.page_versions(ME, memory.id, 1, None) == versions[:1]
    await service.forget(ME, memory.id, None)
    with pytest.raises(NotFound):
        await service.get(ME, memory.id)
    assert await service.check_health() == {"database": "ok", "embedder": "ok"}


async def test_the_principal_says_whose_memories_are_meant() -> None:
    service = World().service
    memory = (await service.remember(MemoryDraft(SCOPE, "rain"))).memory
    stranger = Principal(2)
    with pytest.raises(NotFound):
        await service.get(stranger, memory.id)
    with pytest.raises(NotFound):
        await service.revise(stranger, memory.id, MemoryChanges(content="sun"))
    with pytest.raises(NotFound):
        await service.forget(stranger, memory.id, None)
    with pytest.raises(NotFound):
        await service.page_versions(stranger, memory.id, 10, None)
    assert (await service.read_usage(stranger))[0] == Usage(0, 0, Quota())


async def test_usage_comes_with_the_rules_that_the_limiter_knows() -> None:
    rules = LimitRules(tenant=RateLimit(9, 1.0))
    world = World(rules=rules)
    await world.remember("rain")
    assert await world.service.read_usage(ME) == (Usage(1, 4, Quota()), rules)


async def test_a_reranked_search_tells_its_scores() -> None:
    world = World(reranker=FakeReranker())
    await world.remember("rain")
    found = await world.service.search_reranked(ANY)
    assert ([hit.memory.content for hit in found.hits], found.scores) == (["rain"], [1.0])


async def test_a_key_makes_each_write_one() -> None:
    world = World()
    service, doomed = world.service, await world.remember("doomed")
    for is_replayed in (False, True):
        written = await service.remember(MemoryDraft(SCOPE, "rain"), KEY)
        batch = await service.remember_many([MemoryDraft(SCOPE, "sun")], replace(KEY, key="batch"))
        changed = await service.revise(
            ME, written.memory.id, SNOW, frozenset({1}), replace(KEY, key="change")
        )
        erased = await service.forget(
            ME, doomed.id, "agent", frozenset({1}), replace(KEY, key="erasure")
        )
        [in_batch] = batch
        assert isinstance(in_batch, Written)
        told = [one.is_replayed for one in (written, in_batch, changed)]
        assert [*told, erased] == [is_replayed] * 4
    assert await service.count(SCOPE) == 2


async def test_a_memory_in_no_expected_version_is_kept() -> None:
    world = World()
    memory = await world.remember("rain")
    with pytest.raises(PreconditionFailed):
        await world.service.revise(ME, memory.id, SNOW, frozenset({2}))
    with pytest.raises(PreconditionFailed):
        await world.service.forget(ME, memory.id, None, frozenset({2}))
    with pytest.raises(NotFound):
        await world.service.forget(ME, memory.id, "stranger")
    assert await world.service.get(ME, memory.id) == memory


async def search(service: Service, _: Memory) -> object:
    return await service.search(ANY)


async def search_reranked(service: Service, _: Memory) -> object:
    return (await service.search_reranked(ANY)).hits


async def revise(service: Service, memory: Memory) -> object:
    return (await service.revise(ME, memory.id, SNOW)).memory.content


@pytest.mark.parametrize(
    ("name", "verb", "outcome"),
    [("search", search, []), ("search", search_reranked, []), ("revise", revise, "snow")],
)
async def test_a_verb_that_meets_a_change_is_done_again_by_the_new_model(
    name: str,
    verb: Callable[[Service, Memory], Awaitable[object]],
    outcome: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, models = World(), OneModel(FakeEmbedder("old"))
    models.next = FakeEmbedder("new")
    memory = await world.remember("rain", Scope(1, "agent", "another"))
    real, used = getattr(world.memories, name), list[str]()

    async def refuse_the_old(*given: object) -> object:
        used.append(models.present.model)
        if used[-1] == "old":
            raise ModelChanged("changed")
        return await real(*given)

    monkeypatch.setattr(world.memories, name, refuse_the_old)
    service = replace(world.service, ports=replace(world.ports, models=models))
    assert await verb(service, memory) == outcome
    assert used == ["old", "new"]
    models.go_back()
    models.next = models.present
    with pytest.raises(ModelChanged):
        await verb(service, memory)
    assert used == ["old", "new", "old", "old"]
