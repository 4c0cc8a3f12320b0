"""The real TextCrossEncoder over a tiny graph, and what becomes of its failures."""

import asyncio
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from serve_app.core.errors import (
    ConfigurationError,
    DeadlineExceeded,
    FleetmemError,
    ModelUnavailable,
    Overloaded,
    Unavailable,
)
from serve_app.core.reranking import RerankQuestion
from serve_app.embedding.reranking import (
    BATCH_PAIRS,
    PAIRS_PER_REPLICA,
    CrossEncoder,
    Pair,
    is_reranker,
    open_reranker,
    prepare_reranker,
)
from serve_app.settings import Settings
from tests.embedding.tiny_reranker import publish_on_hub, publish_reranker
from tests.fakes.meter import RecordingMeter

ON_HUB = "Xenova/ms-marco-MiniLM-L-6-v2"
SCORES = list[list[float] | FleetmemError]


class GatedPairs:
    """Scores a text by its length; runs nothing while `gate` is clear."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.batches: list[list[int]] = []
        self.broken: str | None = None
        self.value: float | None = None

    def rerank_pairs(self, pairs: list[Pair], batch_size: int) -> Iterable[float]:
        self.entered.set()
        assert self.gate.wait(30)
        self.batches.append([len(text) for _, text in pairs])
        if any(text == self.broken for _, text in pairs):
            raise RuntimeError("the runtime broke")
        return [float(len(text)) if self.value is None else self.value for _, text in pairs]


@pytest.fixture
def pairs() -> GatedPairs:
    return GatedPairs()


@pytest.fixture
def encoder(pairs: GatedPairs, meter: RecordingMeter) -> CrossEncoder:
    return CrossEncoder(pairs, meter)


def question(*texts: str, seconds: float = 60.0) -> RerankQuestion:
    return RerankQuestion("rain", texts, seconds)


async def score(settings: Settings, texts: Sequence[str]) -> SCORES:
    reranker = open_reranker(settings, RecordingMeter())
    assert reranker is not None
    return await reranker.score_all([question(*texts)])


async def test_a_folder_is_a_reranker(tmp_path: Path) -> None:
    folder = publish_reranker(tmp_path / "mine")
    for _ in range(2):
        settings = Settings(reranker_model=str(folder))
        assert await score(settings, ["rain and rain", "sun", "rain"]) == [[2.0, 0.0, 1.0]]


async def test_a_long_text_is_cut_where_the_model_ends(tmp_path: Path) -> None:
    settings = Settings(reranker_model=str(publish_reranker(tmp_path / "mine")))
    assert await score(settings, ["cloud " * 100 + "rain", "rain " * 100]) == [[0.0, 60.0]]


async def test_what_was_downloaded_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    publish_on_hub(tmp_path / "hub", ON_HUB)
    settings = Settings(reranker_model=ON_HUB, model_directory=tmp_path)
    lines: list[str] = []
    prepare_reranker(ON_HUB, settings, lines.append)
    assert lines[-1] == f"reranker {ON_HUB} is ready"
    assert await score(settings, ["rain"]) == [[1.0]]


def test_what_was_not_downloaded_is_an_error_that_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    settings = Settings(reranker_model=ON_HUB, model_directory=tmp_path)
    advice = f"fleetmem model prepare {ON_HUB}"
    with pytest.raises(ModelUnavailable, match=advice):
        open_reranker(settings, RecordingMeter())
    with pytest.raises(ModelUnavailable, match=advice):
        prepare_reranker(ON_HUB, settings, print)


def test_an_empty_folder_is_an_error_that_names_the_files(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"none of onnx/model\.onnx"):
        prepare_reranker(str(tmp_path), Settings(), print)


def test_a_graph_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = publish_reranker(tmp_path / "mine")
    (folder / "onnx" / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelUnavailable, match="is not usable"):
        prepare_reranker(str(folder), Settings(), print)


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    settings = Settings(reranker_model="nobody/knows", model_directory=tmp_path)
    with pytest.raises(ConfigurationError, match=ON_HUB):
        open_reranker(settings, RecordingMeter())
    assert not is_reranker("nobody/knows")
    assert is_reranker(ON_HUB)
    assert is_reranker(str(tmp_path))


def test_without_a_name_there_is_none(meter: RecordingMeter) -> None:
    assert open_reranker(Settings(), meter) is None


async def test_pairs_of_all_questions_run_together(
    encoder: CrossEncoder, pairs: GatedPairs, meter: RecordingMeter
) -> None:
    lengths = [[9, 1, 5], list(range(20, 0, -1))]
    questions = [question(*("x" * length for length in row)) for row in lengths]
    assert await encoder.score_all(questions) == [[float(n) for n in row] for row in lengths]
    # The shortest first, for a batch is padded to its longest.
    shortest = sorted(lengths[0] + lengths[1])
    assert pairs.batches == [shortest[:BATCH_PAIRS], shortest[BATCH_PAIRS:]]
    assert encoder.in_flight == 0


async def test_time_that_is_over_fails_its_own_question(encoder: CrossEncoder) -> None:
    late, good = await encoder.score_all([question("a", seconds=0.0), question("abc")])
    assert isinstance(late, DeadlineExceeded)
    assert good == [3.0]


async def test_time_that_runs_out_ends_the_work(pairs: GatedPairs, meter: RecordingMeter) -> None:
    # A clock by which every batch takes a second.
    encoder = CrossEncoder(pairs, meter, lambda: len(pairs.batches))
    many = ["x"] * (5 * BATCH_PAIRS)
    late, good = await encoder.score_all([question(*many, seconds=2), question("xyz")])
    assert isinstance(late, DeadlineExceeded)
    assert good == [3.0]
    assert [len(batch) for batch in pairs.batches] == [BATCH_PAIRS, BATCH_PAIRS, 1]


async def test_a_text_that_breaks_the_model_fails_its_batch_alone(
    encoder: CrossEncoder, pairs: GatedPairs
) -> None:
    pairs.broken = "long and bad"
    short = question(*["x"] * BATCH_PAIRS)
    good, bad = await encoder.score_all([short, question("long and bad")])
    assert good == [1.0] * BATCH_PAIRS
    assert isinstance(bad, Unavailable)


async def test_a_score_that_is_no_number_is_a_failure(
    encoder: CrossEncoder, pairs: GatedPairs
) -> None:
    pairs.value = float("nan")
    [outcome] = await encoder.score_all([question("a")])
    assert isinstance(outcome, Unavailable)


async def test_a_full_replica_refuses(encoder: CrossEncoder, pairs: GatedPairs) -> None:
    pairs.gate.clear()
    first = asyncio.create_task(encoder.score_all([question(*["x"] * PAIRS_PER_REPLICA)]))
    await asyncio.to_thread(pairs.entered.wait, 30)
    assert encoder.in_flight == PAIRS_PER_REPLICA
    with pytest.raises(Overloaded):
        await encoder.score_all([question("x")])
    pairs.gate.set()
    await first
    assert await encoder.score_all([question("x")]) == [[1.0]]
