import asyncio

import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.embedding import served_models
from serve_app.embedding.served_models import ServedModels
from serve_app.settings import Settings, load_settings
from tests.fakes.meter import RecordingMeter


class Opened:
    def __init__(self, model: str, running: object) -> None:
        self.model, self.running, self.in_flight = model, running, 2


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Opened]:
    """What was opened, in order; "missing" cannot be."""
    made: list[Opened] = []

    def open_one(settings: Settings, meter: object, model: str, running: object) -> Opened:
        if model == "missing":
            raise ConfigurationError("no such model")
        made.append(Opened(model, running))
        return made[-1]

    monkeypatch.setattr(served_models, "open_batcher", open_one)
    return made


async def test_another_model_is_opened_once_and_shares_the_thread(opened: list[Opened]) -> None:
    models = ServedModels(load_settings(), RecordingMeter())
    own = load_settings().stored_model
    assert [o.model for o in opened] == [own]
    found = await asyncio.gather(*(models.find("other") for _ in range(5)), models.find(own))
    assert [o.model for o in opened] == [own, "other"]
    assert len(set(map(id, found))) == 2
    assert opened[0].running is opened[1].running
    assert models.in_flight == 4


async def test_a_model_that_cannot_be_opened_is_tried_again(opened: list[Opened]) -> None:
    models = ServedModels(load_settings(), RecordingMeter())
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            await models.find("missing")
    assert len(opened) == 1
