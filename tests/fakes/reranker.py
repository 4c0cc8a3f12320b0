"""A reranker that counts the words which question and text share."""

import asyncio

from serve_app.core.errors import DeadlineExceeded, Unavailable
from serve_app.core.reranking import RerankQuestion


class FakeReranker:
    """Implements ports.Reranker. `down` fails every call, `hangs` never answers."""

    def __init__(self, candidates: int = 30, seconds: float = 60.0) -> None:
        self.candidates = candidates
        self.seconds = seconds
        self.down = self.hangs = False
        self.asked: list[RerankQuestion] = []

    async def score(self, question: RerankQuestion, tenant_id: int = 0) -> list[float]:
        self.asked.append(question)
        if self.down:
            raise Unavailable("the fake reranker is down")
        if self.hangs:
            await asyncio.Event().wait()
        if question.seconds <= 0:
            raise DeadlineExceeded("no time")
        asked = question.query.split()
        return [float(sum(map(text.split().count, asked))) for text in question.texts]
