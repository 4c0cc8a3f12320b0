import asyncio

import pytest

from serve_app.core.errors import DatabaseUnavailable
from serve_app.operations.present_model import REFRESH_SECONDS, PresentModel
from tests.fakes.embedder import FakeEmbedder


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
