from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pytest

from deployments.wire import PLAIN, pack, pack_plain, unpack
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
    embedded = EmbeddedMemory(MEMORY, (Chunk(0, 3, vector),), "model")
    [back] = unpack(pack([embedded]))
    assert back.chunks[0].vector.dtype == np.float32
    assert back.chunks[0].vector.tobytes() == vector.tobytes()
    assert (back.memory, back.model) == (MEMORY, "model")


@pytest.mark.parametrize("kind", [None, Kind.EPISODIC])
def test_a_search_comes_back_with_all_its_fields(kind):
    vector, policy = np.arange(4, dtype=np.float32), RankingPolicy(0.5, 0.25, 0.25, 7.0)
    search = VectorSearch(MEMORY.scope, vector, 5, policy, NOW, kind, "model")
    [back] = unpack(pack([search]))
    assert back.vector.dtype == np.float32
    for field in fields(VectorSearch):
        ours, theirs = getattr(search, field.name), getattr(back, field.name)
        assert np.array_equal(ours, theirs) if field.name == "vector" else ours == theirs


def test_plain_values_come_back_equal():
    rows = [[(0.5, 0, 9, MEMORY.id.bytes, "Ünïcode", NOW, (), None)], []]
    assert unpack(pack_plain(rows)) == rows


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
