"""The remote adapter of ports.Reranker."""

from collections.abc import Sequence

from deployments.coalescing import Coalescer, Limits
from deployments.direct_handle import Handle
from deployments.handles import exchange
from serve_app.core.errors import FleetmemError
from serve_app.core.reranking import RerankQuestion
from serve_app.telemetry import Meter

RERANKS = Limits(concurrency=2, max_items=8)
"""Each brings dozens of pairs; what waits longer than its deadline has left by then."""


class RemoteReranker:
    """ports.Reranker over the Embedding deployment."""

    def __init__(self, handle: Handle, meter: Meter, candidates: int, seconds: float) -> None:
        self.candidates = candidates
        self.seconds = seconds
        self._handle = handle
        self._questions = Coalescer[RerankQuestion, list[float]](
            "rerank", self._score_all, meter, RERANKS
        )

    async def score(self, question: RerankQuestion, tenant_id: int = 0) -> list[float]:
        """See ports.Reranker."""
        return await self._questions.submit(question, tenant_id)

    async def _score_all(
        self, questions: Sequence[RerankQuestion]
    ) -> list[list[float] | FleetmemError]:
        return await exchange(self._handle.rerank, questions, self.seconds)
