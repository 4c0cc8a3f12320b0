import pytest

from serve_app.operations.check_health import check_health
from tests.fakes.world import World


async def test_all_is_well() -> None:
    assert await check_health(World().ports) == {"database": "ok", "embedder": "ok"}


async def test_what_is_down_is_named_by_its_code() -> None:
    world = World()
    world.memories.down = True
    expected = {"database": "database_unavailable", "embedder": "ok"}
    assert await check_health(world.ports) == expected
    world.memories.down, world.embedder.down = False, True
    expected = {"database": "ok", "embedder": "embedding_unavailable"}
    assert await check_health(world.ports) == expected


async def test_a_bug_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    world = World()
    monkeypatch.setattr(world.memories, "check_health", broken)
    with pytest.raises(ZeroDivisionError):
        await check_health(world.ports)
