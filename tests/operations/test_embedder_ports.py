import pytest

from serve_app.operations import ports
from serve_app.operations.embedder_ports import Embedder, Models, Reranker
from serve_app.operations.present_model import PresentModel
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.models import OneModel
from tests.fakes.reranker import FakeReranker
from tests.operations.twins import check_calls


@pytest.mark.parametrize(
    ("port", "twin"),
    [
        (Embedder, FakeEmbedder),
        (Models, OneModel),
        (Models, PresentModel),
        (Reranker, FakeReranker),
    ],
)
def test_a_twin_answers_the_very_calls_of_its_port(port: type, twin: type) -> None:
    check_calls(port, twin)


@pytest.mark.parametrize(
    ("port", "twin"),
    [
        (Embedder, FakeEmbedder()),
        (Models, OneModel(FakeEmbedder())),
        (Reranker, FakeReranker()),
    ],
)
def test_a_twin_tells_what_its_port_tells_without_a_call(port: type, twin: object) -> None:
    properties = [name for name, value in vars(port).items() if isinstance(value, property)]
    told = [*properties, *vars(port).get("__annotations__", ())]
    assert told
    assert [name for name in told if not hasattr(twin, name)] == []


def test_verbs_find_the_embedder_and_the_reranker_among_all_other_ports() -> None:
    assert (ports.Embedder, ports.Reranker) == (Embedder, Reranker)
