from datetime import UTC, datetime
from uuid import uuid4

from serve_app.core.memory import Kind, Memory, Scope, Status
from serve_app.core.ranking import Hit
from serve_app.core.reranking import reorder

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def hit(content: str) -> Hit:
    memory = Memory(
        id=uuid4(),
        scope=Scope(1, "agent", "user"),
        content=content,
        kind=Kind.EPISODIC,
        importance=0.5,
        created_at=NOW,
        occurred_at=NOW,
        updated_at=NOW,
        status=Status.ACTIVE,
        sources=(),
        superseded_by=None,
    )
    return Hit(memory, 0.5, 0.5, 0.5, 0.5, (0, len(content)))


def test_the_highest_scores_come_first_and_equal_ones_stay() -> None:
    hits = [hit(name) for name in "abcd"]
    reranked = reorder(hits, [0.5, 2.0, 0.5, -1.0], 3)
    assert [found.memory.content for found in reranked.hits] == ["b", "a", "c"]
    assert reranked.scores == [2.0, 0.5, 0.5]
    assert reranked.skipped is None


def test_fewer_hits_than_wanted_are_all_there() -> None:
    [one] = reorder([hit("a")], [0.0], 5).hits
    assert one.memory.content == "a"
