"""Shadow comparison: how far two models find the same, before one replaces the other."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from serve_app.core.errors import ModelChanged
from serve_app.core.memory import Scope
from serve_app.core.ranking import Candidate, RankingPolicy
from serve_app.core.search import VectorSearch
from serve_app.operations.ports import Embedder

SIMILARITY_ALONE = RankingPolicy(1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """A question, the scope it is asked in, and the memory it was taken from, if any."""

    text: str
    scope: Scope
    source: UUID | None = None


@dataclass(frozen=True, slots=True)
class Overlap:
    """Means over `questions`: the share of the first hits that both have, and the same best hit."""

    questions: int
    shared: float
    same_best: float


async def compare_models(
    search: Callable[[VectorSearch], Awaitable[list[Candidate]]],
    embedders: tuple[Embedder, Embedder],
    samples: Sequence[Sample],
    now: datetime,
    top_k: int = 10,
) -> Overlap:
    """Ask each question of both models' vectors; a memory does not count as found by itself.

    Questions that nothing is found for, or not by both models yet, are left out.
    """
    shared: list[float] = []
    same_best: list[bool] = []
    for sample in samples:
        found: list[list[UUID]] = []
        for embedder in embedders:
            vector = await embedder.embed_query(sample.text)
            asked = VectorSearch(sample.scope, vector, top_k + 1, SIMILARITY_ALONE, now)
            try:
                candidates = await search(replace(asked, model=embedder.model))
            except ModelChanged:  # Its tenant has a memory that is not filled yet.
                break
            ids = [c.memory.id for c in candidates if c.memory.id != sample.source]
            found.append(ids[:top_k])
        if len(found) == len(embedders) and (found[0] or found[1]):
            old, new = found
            shared.append(len(set(old) & set(new)) / max(len(old), len(new)))
            same_best.append(old[:1] == new[:1])
    count = len(shared)
    if not count:
        return Overlap(0, 0.0, 0.0)
    return Overlap(count, sum(shared) / count, sum(same_best) / count)
