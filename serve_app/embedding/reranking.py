"""Scores pairs of question and text with a cross-encoder, in small batches that take turns."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from serve_app.core.errors import (
    DeadlineExceeded,
    FleetmemError,
    ModelUnavailable,
    Overloaded,
    Unavailable,
)
from serve_app.core.reranking import RerankQuestion
from serve_app.embedding.cores import count_usable_cores
from serve_app.embedding.fastembed_models import (
    download_reranker,
    is_folder,
    list_rerankers,
    load_reranker,
)
from serve_app.settings import Settings
from serve_app.telemetry import Meter

BATCH_PAIRS = 16
"""Few enough that a question whose time is over is noticed soon."""

PAIRS_PER_REPLICA = 2048
"""Pairs in flight above which a replica refuses more: none of them would come in time."""

Pair = tuple[str, str]

log = logging.getLogger(__name__)


class RunsPairs(Protocol):
    """What is needed of a cross-encoder; it blocks, and is called from one thread."""

    def rerank_pairs(self, pairs: list[Pair], batch_size: int) -> Iterable[float]:
        """A score of each (question, text), the higher the more relevant."""
        ...


class CrossEncoder:
    """Answers lists of questions; their pairs run together, sorted by length."""

    def __init__(
        self, model: RunsPairs, meter: Meter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._model = model
        self._meter = meter
        self._clock = clock
        self._running = ThreadPoolExecutor(1, "rerank")
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """Pairs that were taken on and are not answered yet."""
        return self._in_flight

    async def score_all(
        self, questions: Sequence[RerankQuestion]
    ) -> list[list[float] | FleetmemError]:
        """The scores of each question's texts in order, or why it has none; raises Overloaded."""
        pairs = sum(len(question.texts) for question in questions)
        if self._in_flight and self._in_flight + pairs > PAIRS_PER_REPLICA:
            raise Overloaded(f"{self._in_flight} pairs wait to be reranked already")
        self._in_flight += pairs
        try:
            return await self._score_all(questions)
        finally:
            self._in_flight -= pairs

    async def _score_all(
        self, questions: Sequence[RerankQuestion]
    ) -> list[list[float] | FleetmemError]:
        """Run batch after batch, and nothing more of a question that has failed."""
        began = self._clock()
        scores = [[0.0] * len(question.texts) for question in questions]
        failures: dict[int, FleetmemError] = {}
        waiting = _sort_by_length(questions)
        while waiting:
            elapsed = self._clock() - began
            for row in {row for row, _ in waiting if questions[row].seconds <= elapsed}:
                failures[row] = DeadlineExceeded("no time was left to rerank")
            waiting = [place for place in waiting if place[0] not in failures]
            batch, waiting = waiting[:BATCH_PAIRS], waiting[BATCH_PAIRS:]
            pairs = [(questions[row].query, questions[row].texts[text]) for row, text in batch]
            if not pairs:
                break
            try:
                for (row, text), score in zip(batch, await self._run(pairs), strict=True):
                    scores[row][text] = score
            except Unavailable as error:
                failures |= dict.fromkeys((row for row, _ in batch), error)
        return [failures.get(row, scored) for row, scored in enumerate(scores)]

    async def _run(self, pairs: list[Pair]) -> list[float]:
        """The scores of one batch; raises Unavailable whatever the model raises."""
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        try:
            scores = await loop.run_in_executor(self._running, _score, self._model, pairs)
        except Exception as error:
            log.error("reranking failed: %s: %s", type(error).__name__, error)
            raise Unavailable("the reranker failed") from error
        self._meter.observe("rerank_duration_seconds", time.perf_counter() - started)
        return scores


def open_reranker(settings: Settings, meter: Meter) -> CrossEncoder | None:
    """The reranker of the settings, loaded and tried; None where they name none.

    Raises ModelUnavailable that says how to prepare it, and ConfigurationError.
    """
    if not settings.reranker_model:
        return None
    return CrossEncoder(_load(settings.reranker_model, settings), meter)


def prepare_reranker(name: str, settings: Settings, progress: Callable[[str], None]) -> None:
    """Fetch a reranker unless it is there, and try it; one in a folder is tried where it lies.

    Raises ModelUnavailable and ConfigurationError.
    """
    if not is_folder(name):
        progress(f"fetching the reranker {name} unless it is here")
        download_reranker(name, hub_folder(settings))
    _load(name, settings)
    progress(f"reranker {name} is ready")


def is_reranker(name: str) -> bool:
    """Whether fastembed knows a reranker of this name, or it is the path of a folder."""
    return is_folder(name) or name in list_rerankers()


def hub_folder(settings: Settings) -> Path:
    """Where fastembed keeps what it has downloaded."""
    return settings.model_directory.expanduser() / "hub"


def _load(name: str, settings: Settings) -> RunsPairs:
    threads = settings.embedding_threads or count_usable_cores()
    model = load_reranker(name, hub_folder(settings), threads)
    try:
        _score(model, [("Where do cats sleep?", "Cats sleep on the sofa.")])
    # ONNX Runtime's errors have no class in common.
    except Exception as error:
        raise ModelUnavailable(f"the reranker {name} gives no scores: {error}") from error
    return model


def _sort_by_length(questions: Sequence[RerankQuestion]) -> list[tuple[int, int]]:
    """Question and text of every pair by their places, the shortest text first."""
    places = [(row, text) for row, q in enumerate(questions) for text in range(len(q.texts))]
    return sorted(places, key=lambda place: len(questions[place[0]].texts[place[1]]))


def _score(model: RunsPairs, pairs: list[Pair]) -> list[float]:
    scores = [float(score) for score in model.rerank_pairs(pairs, batch_size=BATCH_PAIRS)]
    if len(scores) != len(pairs) or not all(map(math.isfinite, scores)):
        raise ArithmeticError("a cross-encoder gives one finite score for each pair")
    return scores
