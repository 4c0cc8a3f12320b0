import inspect

import pytest

from serve_app.language.sentences import Sentences
from serve_app.operations import ports
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.memories import InMemoryMemories
from tests.fakes.meter import RecordingMeter
from tests.fakes.summaries import InMemorySummaries
from tests.fakes.world import World


@pytest.mark.parametrize(
    ("port", "twin"),
    [
        (ports.Embedder, FakeEmbedder),
        (ports.Memories, InMemoryMemories),
        (ports.Summaries, InMemorySummaries),
        (ports.SentenceSplitter, Sentences),
        (ports.Meter, RecordingMeter),
    ],
)
def test_a_twin_answers_the_very_calls_of_its_port(port: type, twin: type) -> None:
    methods = [name for name in vars(port) if inspect.isfunction(vars(port)[name])]
    for name in (name for name in methods if not name.startswith("_")):
        assert inspect.signature(getattr(twin, name)) == inspect.signature(getattr(port, name))


def test_ids_are_sorted_by_time() -> None:
    world = World()
    first, second = world.ports.new_id(), world.ports.new_id()
    world.advance(milliseconds=1)
    assert first < second < world.ports.new_id()
