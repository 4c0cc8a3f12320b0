from dataclasses import replace

import pytest

from serve_app.operations import ports
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.keys import InMemoryKeys
from tests.fakes.limits import InMemoryLimits
from tests.fakes.memories import InMemoryMemories
from tests.fakes.meter import RecordingMeter
from tests.fakes.models import OneModel
from tests.fakes.ranking_defaults import InMemoryRankingDefaults
from tests.fakes.summaries import InMemorySummaries
from tests.fakes.tokens import InMemoryTokens
from tests.fakes.vector_store import InMemoryVectorStore
from tests.fakes.world import World
from tests.operations.twins import check_calls


@pytest.mark.parametrize(
    ("port", "twin"),
    [
        (ports.Embedder, FakeEmbedder),
        (ports.Memories, InMemoryMemories),
        (ports.Keys, InMemoryKeys),
        (ports.Summaries, InMemorySummaries),
        (ports.TokenStore, InMemoryTokens),
        (ports.VectorStore, InMemoryVectorStore),
        (ports.TenantLimits, InMemoryLimits),
        (ports.RankingDefaults, InMemoryRankingDefaults),
        (ports.Meter, RecordingMeter),
    ],
)
def test_a_twin_answers_the_very_calls_of_its_port(port: type, twin: type) -> None:
    check_calls(port, twin)


async def test_the_embedder_is_the_one_that_is_present_now() -> None:
    models = OneModel(FakeEmbedder("old"))
    models.next = FakeEmbedder("new")
    world_ports = replace(World().ports, models=models)
    assert world_ports.embedder.model == "old"
    await models.refresh()
    assert world_ports.embedder is models.next


def test_every_process_has_its_own_running_keys_and_no_reranker_of_itself() -> None:
    first, second = World().ports, World().ports
    assert first.running is not second.running
    assert first.reranker is None


def test_ids_are_sorted_by_time() -> None:
    world = World()
    first, second = world.ports.new_id(), world.ports.new_id()
    world.advance(milliseconds=1)
    assert first < second < world.ports.new_id()
