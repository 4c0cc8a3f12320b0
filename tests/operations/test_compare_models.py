from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from serve_app.core.errors import ModelChanged
from serve_app.core.ranking import Candidate
from serve_app.core.search import VectorSearch
from serve_app.operations.compare_models import Overlap, Sample, compare_models
from tests.contracts.samples import sample
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.world import SCOPE

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW = FakeEmbedder("old"), FakeEmbedder("new")


async def compare(found: dict[str, list[int]], source: int | None = None) -> Overlap:
    """Of one question for which each model finds memories of these numbers."""

    async def search(asked: VectorSearch) -> list[Candidate]:
        if asked.model not in found:
            raise ModelChanged("not filled")
        memories = [replace(sample(), id=UUID(int=number)) for number in found[asked.model]]
        return [Candidate(memory, 0.5, (0, 1)) for memory in memories[: asked.top_k]]

    samples = [Sample("a text", SCOPE, None if source is None else UUID(int=source))]
    return await compare_models(search, (OLD, NEW), samples, NOW, top_k=4)


@pytest.mark.parametrize(
    ("old", "new", "source", "expected"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], None, Overlap(1, 1.0, 1.0)),
        ([1, 2, 3, 4], [2, 1, 5, 6], None, Overlap(1, 0.5, 0.0)),
        ([9, 1, 2], [9, 1, 3], 9, Overlap(1, 0.5, 1.0)),
        ([9, 1, 2, 3, 4], [9, 4, 3, 2, 1], 9, Overlap(1, 1.0, 0.0)),
        ([1, 2], [1], None, Overlap(1, 0.5, 1.0)),
        ([], [], None, Overlap(0, 0.0, 0.0)),
    ],
)
async def test_what_two_models_share(
    old: list[int], new: list[int], source: int | None, expected: Overlap
) -> None:
    assert await compare({"old": old, "new": new}, source) == expected


async def test_a_question_that_one_model_cannot_answer_yet_is_left_out() -> None:
    assert await compare({"old": [1]}) == Overlap(0, 0.0, 0.0)
