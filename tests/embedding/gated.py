"""The real engine behind a gate: a test decides when a batch may run, and which fail."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from serve_app.embedding.batcher import Batcher
from serve_app.embedding.engine import Engine, TokenIds, Vectors
from serve_app.embedding.queueing import Lane, Ticket


class GatedEngine:
    """Runs nothing while `gate` is clear; `entered` says that a batch stands before it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.spec = engine.spec
        self.tokenizer = engine.tokenizer
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.batches: list[list[int]] = []
        self.fails: Callable[[Sequence[TokenIds]], bool] = lambda batch: False
        self.loses_rows = False

    def run(self, token_ids: Sequence[TokenIds]) -> Vectors:
        self.entered.set()
        assert self.gate.wait(30)
        self.batches.append([len(ids) for ids in token_ids])
        if self.fails(token_ids):
            raise RuntimeError("the runtime broke")
        vectors = self._engine.run(token_ids)
        return vectors[1:] if self.loses_rows else vectors


class Arrivals:
    """Tells a test when texts have been queued."""

    def __init__(self, batcher: Batcher) -> None:
        self._queued: asyncio.Queue[Ticket] = asyncio.Queue()
        for lane in (batcher._queries, batcher._documents):
            self._watch(lane)

    async def wait_for(self, texts: int) -> None:
        """Return when that many more texts have been queued."""
        for _ in range(texts):
            await self._queued.get()

    def _watch(self, lane: Lane) -> None:
        put = lane.put

        def put_and_tell(tickets: Sequence[Ticket]) -> None:
            put(tickets)
            for ticket in tickets:
                self._queued.put_nowait(ticket)

        lane.put = put_and_tell
