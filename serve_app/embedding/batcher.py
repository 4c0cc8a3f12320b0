"""Merges the texts of concurrent callers into batches and runs them in one thread."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

from tokenizers import Tokenizer

from serve_app.core.errors import EmbeddingUnavailable, FleetmemError, InvalidInput, Overloaded
from serve_app.core.memory import Chunk, Vector
from serve_app.embedding.chunking import Chunker, Passage
from serve_app.embedding.devices import open_engine
from serve_app.embedding.engine import TokenIds, Vectors
from serve_app.embedding.queueing import Lane, Ticket
from serve_app.embedding.registry import ModelSpec
from serve_app.settings import Settings
from serve_app.telemetry import Meter

LONGEST_RETRY_AFTER = 30
"""Seconds that a refused caller is told to wait at most."""

SHORT_CHARACTERS = 256
"""What is tokenised in 0.1 ms, about the time in which a thread wakes up and answers."""

Argument = TypeVar("Argument")
Result = TypeVar("Result")

log = logging.getLogger(__name__)


class RunsModel(Protocol):
    """What a batcher needs of an engine; `run` blocks, and is called from one thread."""

    spec: ModelSpec
    tokenizer: Tokenizer

    def run(self, token_ids: Sequence[TokenIds]) -> Vectors:
        """The unit vectors of texts, (n, dimension), float32."""
        ...


class Batcher:
    """An Embedder over one engine. It never waits for company: what is queued runs.

    Queries and documents queue apart and take turns, so that an import never blocks a search.
    A call that would bring more than `queue_limit` texts in flight is refused as a whole with
    Overloaded; an idle batcher takes a call of any size. Batchers that share a `running` thread
    take turns.
    """

    def __init__(
        self,
        engine: RunsModel,
        batch_tokens: int,
        queue_limit: int,
        meter: Meter,
        running: ThreadPoolExecutor | None = None,
    ) -> None:
        self._engine = engine
        self._chunker = Chunker(engine.tokenizer, engine.spec.max_tokens)
        self._queue_limit = queue_limit
        self._meter = meter
        self._queries, self._documents = Lane(batch_tokens), Lane(batch_tokens)
        self._tokenising = ThreadPoolExecutor(1, "tokenise")
        self._running = running or ThreadPoolExecutor(1, "onnx")
        self._drain: asyncio.Task[None] | None = None
        self._seconds_per_text = 0.0
        self._closed = False
        self._in_flight = 0

    @property
    def model(self) -> str:
        """The name that is stored beside every vector."""
        return self._engine.spec.name

    @property
    def in_flight(self) -> int:
        """Texts that were taken on and are not answered yet."""
        return self._in_flight

    async def embed_query(self, text: str, tenant_id: int = 0) -> Vector:
        """The vector of a question, cut at what the model reads; tenants take turns elsewhere."""
        (outcome,) = await self.embed_queries([text])
        return _unwrap(outcome)

    async def embed_queries(self, texts: Sequence[str]) -> list[Vector | FleetmemError]:
        """The vector of each question in order, or why it has none; raises Overloaded."""
        with self._admit(len(texts)):
            return await self._embed_queries(texts)

    async def embed_documents(
        self, texts: Sequence[str], tenant_id: int = 0
    ) -> list[tuple[Chunk, ...] | FleetmemError]:
        """The chunks of each text in order, or why it has none; raises Overloaded."""
        with self._admit(len(texts)):
            cuts = await _in_thread(self._tokenising, self._chunker.cut_documents, texts)
            passages = [passage for cut in cuts if isinstance(cut, list) for passage in cut]
            vectors = iter(await self._embed_passages(self._documents, passages))
            return [
                cut if isinstance(cut, InvalidInput) else _join(cut, [next(vectors) for _ in cut])
                for cut in cuts
            ]

    async def check_health(self) -> None:
        """Embed a word, past the limit of the queue; raise EmbeddingUnavailable if that fails."""
        (outcome,) = await self._embed_queries(["ready"])
        _unwrap(outcome)

    async def close(self) -> None:
        """Fail what waits, let the running batch end, and stop the threads."""
        self._closed = True
        for ticket in (*self._queries.take_all(), *self._documents.take_all()):
            _answer(ticket, EmbeddingUnavailable("the embedder is shutting down"))
        if self._drain is not None:
            await self._drain
        self._tokenising.shutdown(wait=False)
        self._running.shutdown(wait=False)

    @contextmanager
    def _admit(self, texts: int) -> Generator[None]:
        """Count texts as in flight during the block; raises Overloaded."""
        self._require_open()
        if self._in_flight and self._in_flight + texts > self._queue_limit:
            self._meter.count("embedding_errors", texts, error=Overloaded.code)
            wait = math.ceil(self._in_flight * self._seconds_per_text)
            message = f"{self._in_flight} texts wait for their vectors already"
            raise Overloaded(message, min(max(wait, 1), LONGEST_RETRY_AFTER))
        self._in_flight += texts
        try:
            yield
        finally:
            self._in_flight -= texts

    async def _embed_queries(self, texts: Sequence[str]) -> list[Vector | FleetmemError]:
        self._require_open()
        cuts = await self._cut_queries(texts)
        passages = [cut for cut in cuts if isinstance(cut, Passage)]
        vectors = iter(await self._embed_passages(self._queries, passages))
        return [cut if isinstance(cut, InvalidInput) else next(vectors) for cut in cuts]

    async def _cut_queries(self, texts: Sequence[str]) -> list[Passage | InvalidInput]:
        """Tokenise on the other thread, unless waking it would take longer."""
        if sum(map(len, texts)) <= SHORT_CHARACTERS:
            return self._chunker.cut_queries(texts)
        return await _in_thread(self._tokenising, self._chunker.cut_queries, texts)

    async def _embed_passages(
        self, lane: Lane, passages: Sequence[Passage]
    ) -> list[Vector | FleetmemError]:
        """Queue all at once; when the caller is cancelled its texts are dropped."""
        self._require_open()
        loop = asyncio.get_running_loop()
        tickets = [Ticket(passage.token_ids, loop.create_future()) for passage in passages]
        lane.put(tickets)
        if self._drain is None or self._drain.done():
            self._drain = loop.create_task(self._drain_lanes())
        return await asyncio.gather(*(ticket.answer for ticket in tickets))

    def _require_open(self) -> None:
        if self._closed:
            raise EmbeddingUnavailable("the embedder is shutting down")

    async def _drain_lanes(self) -> None:
        """Run batches, a query's and a document's in turn, until nothing waits."""
        lanes = (self._queries, self._documents)
        while batches := [batch for lane in lanes if (batch := lane.take_batch())]:
            for batch in batches:
                await self._run(batch)

    async def _run(self, batch: Sequence[Ticket]) -> None:
        """Answer every text of the batch; on an error each is tried alone."""
        token_ids = [ticket.token_ids for ticket in batch]
        started = time.perf_counter()
        try:
            vectors = await _in_thread(self._running, self._engine.run, token_ids)
            answers = list(zip(batch, vectors, strict=True))
        except Exception as error:
            await self._run_apart(batch, error)
            return
        self._measure(len(batch), time.perf_counter() - started)
        for ticket, vector in answers:
            # A copy, or whoever keeps one vector would keep the whole batch.
            _answer(ticket, vector.copy())

    async def _run_apart(self, batch: Sequence[Ticket], error: Exception) -> None:
        """Find out which texts of a failed batch are to blame."""
        if len(batch) > 1:
            for ticket in batch:
                await self._run([ticket])
            return
        log.error("embedding failed: %s: %s", type(error).__name__, error)
        self._meter.count("embedding_errors", error=EmbeddingUnavailable.code)
        _answer(batch[0], EmbeddingUnavailable("the embedding model failed on this text"))

    def _measure(self, texts: int, seconds: float) -> None:
        self._meter.observe("embedding_duration_seconds", seconds)
        self._meter.observe("embedding_batch_size", texts)
        self._seconds_per_text += 0.1 * (seconds / texts - self._seconds_per_text)


def open_batcher(
    settings: Settings,
    meter: Meter,
    model: str | None = None,
    running: ThreadPoolExecutor | None = None,
) -> Batcher:
    """A batcher over a model, by default the settings' own, verified, loaded and warm.

    Raises ConfigurationError, or ModelUnavailable that says how to prepare the model.
    """
    engine = open_engine(settings, model)
    engine.warm_up()
    batch_tokens, queue_limit = settings.embedding_batch_tokens, settings.embedding_queue_limit
    return Batcher(engine, batch_tokens, queue_limit, meter, running)


async def _in_thread(
    executor: ThreadPoolExecutor, work: Callable[[Argument], Result], argument: Argument
) -> Result:
    return await asyncio.get_running_loop().run_in_executor(executor, work, argument)


def _answer(ticket: Ticket, outcome: Vector | FleetmemError) -> None:
    """Give a text its outcome unless its caller has left."""
    if not ticket.answer.done():
        ticket.answer.set_result(outcome)


def _unwrap(outcome: Vector | FleetmemError) -> Vector:
    if isinstance(outcome, FleetmemError):
        raise outcome
    return outcome


def _join(
    passages: Sequence[Passage], vectors: Sequence[Vector | FleetmemError]
) -> tuple[Chunk, ...] | FleetmemError:
    """A text's chunks, or the first error of one: a text is never stored half."""
    chunks: list[Chunk] = []
    for passage, vector in zip(passages, vectors, strict=True):
        if isinstance(vector, FleetmemError):
            return vector
        chunks.append(Chunk(passage.start, passage.end, vector))
    return tuple(chunks)
