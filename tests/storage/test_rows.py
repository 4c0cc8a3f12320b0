from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
from asyncpg.pgproto import pgproto
from pgvector import HalfVector

from serve_app.core.memory import Kind, Memory, Scope, Status
from serve_app.core.ranking import Candidate, RankingPolicy
from serve_app.core.search import VectorSearch
from serve_app.storage.rows import (
    search_columns,
    split_rows,
    to_candidates,
    to_halfvec,
    to_plain_rows,
    to_plain_search,
    uuid_of_bytes,
    uuid_of_driver,
)
from tests.fakes.found_rows import asked_search, found_row

SCOPE = Scope(7, "agent", "user")
MADE = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
MEMORY = Memory(uuid4(), SCOPE, "Ünïcode", Kind.SEMANTIC, 0.25, MADE, MADE, MADE)
LATER = replace(
    MEMORY,
    id=uuid4(),
    occurred_at=MADE - timedelta(days=3),
    updated_at=MADE + timedelta(seconds=1),
    status=Status.ARCHIVED,
    sources=(uuid4(), uuid4()),
    superseded_by=uuid4(),
    version=3,
    session_id="morning",
)


def driver_id(value: UUID) -> pgproto.UUID:
    return pgproto.UUID(str(value))


def record(number: int, memory: Memory) -> tuple[object, ...]:
    """A row of search_memories.sql as the driver gives it."""
    columns = {
        field.name: getattr(memory, field.name) for field in fields(Memory) if field.name != "scope"
    }
    columns["id"] = driver_id(memory.id)
    columns["sources"] = [driver_id(source) for source in memory.sources]
    columns["superseded_by"] = memory.superseded_by and driver_id(memory.superseded_by)
    columns["session_id"] = memory.session_id or ""
    order = (
        *("id", "content", "kind", "importance", "created_at", "occurred_at", "updated_at"),
        *("status", "sources", "superseded_by", "version", "session_id"),
    )
    return (number, 0.5, 1, 2, *(columns[name] for name in order))


@pytest.mark.parametrize("memory", [MEMORY, LATER])
def test_a_row_becomes_the_candidate_that_it_holds(memory: Memory) -> None:
    records = [record(1, memory)]
    candidate = Candidate(memory, 0.5, (1, 2))
    [here] = to_candidates(records, SCOPE, uuid_of_driver)
    [elsewhere] = to_candidates(to_plain_rows(records), SCOPE, uuid_of_bytes)
    [of_fakes] = to_candidates([found_row(candidate)], SCOPE, uuid_of_bytes)
    assert here == elsewhere == of_fakes == candidate
    assert type(here.memory.id) is type(elsewhere.memory.id) is UUID


def test_rows_go_to_their_searches_in_order() -> None:
    first, second, third = record(1, MEMORY), record(1, LATER), record(3, MEMORY)
    assert split_rows([first, second, third], 3) == [[first, second], [], [third]]


@pytest.mark.parametrize("kind", [None, Kind.EPISODIC])
def test_a_plain_search_holds_all_of_a_search(kind: Kind | None) -> None:
    vector, policy = np.array([0.5, -0.25, 0, 1], np.float32), RankingPolicy(0.5, 0.25, 0.2, 7.0)
    search = VectorSearch(SCOPE, vector, 5, policy, MADE, kind, "model")
    back = asked_search(to_plain_search(search))
    assert back.vector.tolist() == vector.tolist()
    assert replace(back, vector=vector) == search


def test_searches_become_an_array_for_each_parameter() -> None:
    searches = [
        to_plain_search(VectorSearch(SCOPE, np.ones(4, np.float32), k, RankingPolicy(), MADE))
        for k in (5, 6)
    ]
    columns = search_columns(searches)
    assert list(map(len, columns)) == [2] * 11
    assert columns[:3] == [[7, 7], ["agent"] * 2, ["user"] * 2]
    assert columns[4] == [5, 6]
    assert search_columns([]) == [[]] * 11


def test_a_vector_is_sent_as_the_library_would_send_it() -> None:
    vector = np.random.default_rng(1).normal(size=384).astype(np.float32)
    assert to_halfvec(vector) == HalfVector(vector).to_binary()
