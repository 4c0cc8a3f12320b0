import pytest

from serve_app.core.errors import NotFound
from serve_app.core.memory import MemoryChanges, MemoryDraft
from serve_app.core.page import MemoryFilter
from serve_app.core.principal import Principal
from serve_app.core.profiles import DECAY, PROFILES
from serve_app.core.search import SearchQuery
from serve_app.core.writing import Written
from tests.fakes.world import SCOPE, World

ME = Principal()


async def test_a_memory_lives_through_every_verb() -> None:
    service = World().service
    memory = (await service.remember(MemoryDraft(SCOPE, "rain"))).memory
    [second] = await service.remember_many([MemoryDraft(SCOPE, "sun")])
    assert isinstance(second, Written)
    assert await service.count(SCOPE) == 2
    assert await service.get(ME, memory.id) == memory
    page = await service.page(MemoryFilter(ME.tenant_id), 10, None)
    assert page.memories == (second.memory, memory)
    [hit, _] = await service.search(SearchQuery(SCOPE, "rain", 2, PROFILES[DECAY]))
    assert hit.memory == memory
    revised = await service.revise(ME, memory.id, MemoryChanges(content="snow"))
    assert await service.get(ME, memory.id) == revised.memory
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
