from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pytest

from deployments.wire import PLAIN, pack, unpack
from serve_app.core.errors import EmbeddingUnavailable, Overloaded
from serve_app.core.memory import Chunk, EmbeddedMemory, Kind, Memory, Scope, Status
from serve_app.core.ranking import Candidate, RankingPolicy
from serve_app.core.search import VectorSearch

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
MEMORY = Memory(
    id=uuid4(),
    scope=Scope(7, "agent", "user"),
    content="Ünïcode",
    kind=Kind.SEMANTIC,
    importance=0.25,
    created_at=NOW,
    occurred_at=NOW,
    updated_at=NOW,
    status=Status.ARCHIVED,
    sources=(uuid4(), uuid4()),
    superseded_by=uuid4(),
)


def test_nouns_come_back_equal():
    candidates = [[Candidate(MEMORY, 0.5, (1, 2))], [], [Candidate(MEMORY, -0.5, (0, 9))]]
    assert unpack(pack(candidates)) == candidates


def test_vectors_come_back_bit_by_bit():
    vector = np.arange(4, dtype=np.float32)
    search = VectorSearch(MEMORY.scope, vector, 5, RankingPolicy(), NOW, Kind.EPISODIC)
    embedded = EmbeddedMemory(MEMORY, (Chunk(0, 3, vector),), "model")
    back, again = unpack(pack([search, embedded]))
    assert back.vector.dtype == np.float32
    assert back.vector.tobytes() == again.chunks[0].vector.tobytes() == vector.tobytes()
    assert (back.scope, back.top_k, back.policy, back.now, back.kind) == (
        (search.scope, search.top_k, search.policy, search.now, search.kind)
    )
    assert (again.memory, again.model) == (MEMORY, "model")


def test_errors_come_back_with_what_they_say():
    error, other = unpack(pack([Overloaded("too many", 7), EmbeddingUnavailable("gone")]))
    assert (type(error), error.message, error.retry_after) == (Overloaded, "too many", 7)
    assert (type(other), other.message) == (EmbeddingUnavailable, "gone")


@pytest.mark.parametrize("kind", PLAIN)
def test_every_kind_is_rebuilt_from_all_its_fields(kind: type):
    assert is_dataclass(kind)
    assert [field.name for field in fields(kind)] == list(kind.__slots__)
    assert all(field.init for field in fields(kind))


def test_a_search_is_small():
    packed = pack([[Candidate(MEMORY, 0.5, (1, 2))] * 100])
    assert len(packed) < 2000
