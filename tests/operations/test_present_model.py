import asyncio
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from serve_app.core.errors import DatabaseUnavailable, ModelChanged
from serve_app.core.memory import MemoryChanges, MemoryDraft
from serve_app.core.principal import Principal
from serve_app.core.profiles import DECAY, PROFILES
from serve_app.core.search import SearchQuery
from serve_app.core.writing import Written
from serve_app.operations.present_model import REFRESH_SECONDS, PresentModel
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.models import OneModel
from tests.fakes.world import SCOPE, World


class Stamp:
    """What the database says, and how often it was asked."""

    def __init__(self) -> None:
        self.names: list[str] = ["old"]
        self.asked = 0
        self.seconds = 0.0
        self.down = False

    async def ask(self) -> list[str]:
        self.asked += 1
        if self.down:
            raise DatabaseUnavailable("away")
        return self.names

    def models(self) -> PresentModel:
        return PresentModel("old", self.ask, FakeEmbedder, lambda: self.seconds)


async def test_it_looks_once_a_second_while_it_is_used() -> None:
    stamp = Stamp()
    models = stamp.models()
    for _ in range(3):
        assert models.present.model == "old"
    await asyncio.sleep(0)
    assert stamp.asked == 1
    stamp.names = ["new", "old"]
    stamp.seconds += REFRESH_SECONDS
    assert models.present.model == "old"
    await asyncio.sleep(0)
    assert models.present.model == "new"
    assert stamp.asked == 2


async def test_a_database_that_is_away_changes_nothing() -> None:
    stamp = Stamp()
    models = stamp.models()
    stamp.down = True
    assert models.present.model == "old"
    await asyncio.sleep(0)
    assert models.present.model == "old"
    with pytest.raises(DatabaseUnavailable):
        await models.refresh()


async def test_an_embedder_is_kept_as_long_as_its_model_is_stored() -> None:
    stamp = Stamp()
    models = stamp.models()
    old, new = models.present, models.find("new")
    stamp.names = ["new", "old"]
    await models.refresh()
    assert models.present is new
    assert models.find("old") is old
    stamp.names = ["new"]
    await models.refresh()
    assert models.find("old") is not old


async def test_a_verb_that_meets_a_change_is_done_again_by_the_new_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    stored = await world.remember("the cat")
    memories, models = world.memories, OneModel(world.embedder)
    models.next = FakeEmbedder("new")
    service = replace(world.service, ports=replace(world.ports, models=models))
    real = {name: getattr(memories, name) for name in ("search", "add", "revise")}
    used: list[str] = []

    def refuse_the_old(name: str) -> None:
        async def call(*given: object) -> object:
            used.append(models.present.model)
            if used[-1] == "new":
                return await real[name](*given)
            if name == "add":
                return [ModelChanged("changed")]
            raise ModelChanged("changed")

        monkeypatch.setattr(memories, name, call)

    async def run(verb: Awaitable[object]) -> object:
        """Each verb starts out from the old model."""
        models.go_back()
        used.clear()
        outcome = await verb
        assert used == ["fake", "new"]
        return outcome

    for name in real:
        refuse_the_old(name)
    assert await run(service.remember(MemoryDraft(SCOPE, "the dog")))
    everybody = Principal()
    changes = MemoryChanges(content="the horse")
    revised = await run(service.revise(everybody, stored.id, changes))
    assert isinstance(revised, Written)
    assert revised.memory.content == "the horse"
    query = SearchQuery(SCOPE, "the horse", 1, PROFILES[DECAY])
    assert await run(service.search(query))
