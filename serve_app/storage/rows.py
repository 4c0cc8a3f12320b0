"""Rows become nouns, and nouns become columns."""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from serve_app.core.identity import make_uuid
from serve_app.core.making import maker_of
from serve_app.core.memory import (
    Chunk,
    EmbeddedMemory,
    Kind,
    Memory,
    MemoryChanges,
    MemoryVersion,
    Scope,
    Status,
    Vector,
)
from serve_app.core.ranking import Candidate
from serve_app.core.search import VectorSearch
from serve_app.core.text import content_hash

KINDS = {kind.value: kind for kind in Kind}
STATUSES = {status.value: status for status in Status}

_HALFVEC_HEAD = Struct("!HH")

_make_memory = maker_of(Memory)
_make_candidate = maker_of(Candidate)


def to_memory(row: asyncpg.Record) -> Memory:
    """The memory of a row that has its columns and those of its scope."""
    return Memory(
        id=uuid_of_driver(row["id"]),
        scope=Scope(row["tenant_id"], row["agent_id"], row["user_id"]),
        content=row["content"],
        kind=KINDS[row["kind"]],
        importance=row["importance"],
        created_at=row["created_at"],
        occurred_at=row["occurred_at"],
        updated_at=row["updated_at"],
        status=STATUSES[row["status"]],
        sources=tuple(uuid_of_driver(source) for source in row["sources"]),
        superseded_by=None
        if row["superseded_by"] is None
        else uuid_of_driver(row["superseded_by"]),
        version=row["version"],
        session_id=row["session_id"] or None,
    )


def to_version(row: asyncpg.Record) -> MemoryVersion:
    """The version of a row of page_versions.sql."""
    return MemoryVersion(
        version=row["version"],
        content=row["content"],
        kind=KINDS[row["kind"]],
        importance=row["importance"],
        occurred_at=row["occurred_at"],
        status=STATUSES[row["status"]],
        superseded_by=None
        if row["superseded_by"] is None
        else uuid_of_driver(row["superseded_by"]),
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )


FoundRow = Sequence[Any]
"""The columns of search_memories.sql: a driver's record, or a plain row."""


def split_rows(rows: Sequence[FoundRow], searches: int) -> list[list[FoundRow]]:
    """What search_memories.sql found, by search, in order."""
    found: list[list[FoundRow]] = [[] for _ in range(searches)]
    for row in rows:
        found[row[0] - 1].append(row)
    return found


def to_plain_rows(rows: Sequence[FoundRow]) -> list[FoundRow]:
    """Rows that leave the process for a third of what candidates cost: ids are 16 bytes.

    Who gets them makes candidates of them.
    """
    plain: list[FoundRow] = []
    # By position, without keywords or calls: with ten rows a search, this loop and the next are
    # the dearest of the layer.
    for row in rows:
        number, similarity, start, end, id_, content, kind, weight, made, at, changed, *rest = row
        status, sources, superseded_by, version, session_id = rest
        plain.append(
            (
                *(number, similarity, start, end, id_.bytes, content, kind, weight, made),
                # Mostly one moment, that need not be written three times.
                made if at == made else at,
                made if changed == made else changed,
                status,
                [source.bytes for source in sources] if sources else (),
                None if superseded_by is None else superseded_by.bytes,
                version,
                session_id,
            )
        )
    return plain


def to_candidates(
    rows: Sequence[FoundRow], scope: Scope, to_uuid: Callable[[Any], UUID]
) -> list[Candidate]:
    """The candidates of a search in this scope, in order; `to_uuid` makes ids of what rows hold."""
    candidates: list[Candidate] = []
    for _, similarity, start, end, id_, content, kind, weight, made, at, changed, *rest in rows:
        status, sources, superseded_by, version, session_id = rest
        memory = _make_memory(
            to_uuid(id_),
            scope,
            content,
            KINDS[kind],
            weight,
            made,
            at,
            changed,
            STATUSES[status],
            tuple(map(to_uuid, sources)) if sources else (),
            None if superseded_by is None else to_uuid(superseded_by),
            version,
            session_id or None,
        )
        candidates.append(_make_candidate(memory, similarity, (start, end)))
    return candidates


def uuid_of_bytes(value: bytes) -> UUID:
    """The id of a plain row."""
    return make_uuid(int.from_bytes(value))


def uuid_of_driver(value: Any) -> UUID:
    """The id of a record as a plain UUID: asyncpg's own class cannot leave the process."""
    return make_uuid(value.int)


def to_memory_of(columns: Sequence[Any], scope: Scope) -> Memory:
    """The memory of its columns from id to session_id, in the order of search_memories.sql."""
    memory_id, content, kind, importance, created_at, occurred_at, updated_at, *rest = columns
    status, sources, superseded_by, version, session_id = rest
    return _make_memory(
        make_uuid(memory_id.int),
        scope,
        content,
        KINDS[kind],
        importance,
        created_at,
        occurred_at,
        updated_at,
        STATUSES[status],
        tuple(map(uuid_of_driver, sources)) if sources else (),
        None if superseded_by is None else uuid_of_driver(superseded_by),
        version,
        session_id or None,
    )


PlainSearch: TypeAlias = tuple[Any, ...]
"""The first eleven parameters of search_memories.sql for one search, and the model."""


def to_plain_search(search: VectorSearch) -> PlainSearch:
    """A search as plain values, which leave the process cheaper than nouns."""
    scope, policy = search.scope, search.policy
    return (
        scope.tenant_id,
        scope.agent_id,
        scope.user_id,
        to_halfvec(search.vector),
        search.top_k,
        policy.similarity_weight,
        policy.recency_weight,
        policy.importance_weight,
        policy.half_life_days,
        search.now,
        None if search.kind is None else search.kind.value,
        search.model,
    )


def search_columns(searches: Sequence[PlainSearch]) -> list[list[Any]]:
    """The first eleven arrays of search_memories.sql."""
    *columns, _ = map(list, zip(*searches, strict=True)) if searches else [[] for _ in range(12)]
    return columns


def to_halfvec(vector: Vector) -> bytes:
    """What Postgres is sent for a halfvec: two 16-bit numbers, then halves in network order."""
    return _HALFVEC_HEAD.pack(len(vector), 0) + vector.astype(">f2").tobytes()


def memory_columns(memories: Sequence[EmbeddedMemory], scope_ids: Sequence[int]) -> list[Any]:
    """The first thirteen arrays of add_memories.sql."""
    rows = [
        (
            m.id,
            m.scope.tenant_id,
            scope_id,
            m.content,
            m.kind.value,
            m.importance,
            m.created_at,
            m.occurred_at,
            m.updated_at,
            m.status.value,
            "{" + ",".join(map(str, m.sources)) + "}",
            content_hash(m.content),
            m.session_id or "",
        )
        for m, scope_id in zip((e.memory for e in memories), scope_ids, strict=True)
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def changed_columns(changes: MemoryChanges) -> tuple[Any, ...]:
    """Parameters $2 to $7 of revise_memory.sql."""
    return (
        changes.content,
        None if changes.kind is None else changes.kind.value,
        changes.importance,
        changes.occurred_at,
        None if changes.status is None else changes.status.value,
        None if changes.content is None else content_hash(changes.content),
    )


def chunk_columns(chunks: Sequence[Chunk]) -> list[list[Any]]:
    """Ordinals, span starts, span ends and embeddings."""
    return [
        list(range(len(chunks))),
        [chunk.start for chunk in chunks],
        [chunk.end for chunk in chunks],
        [to_halfvec(chunk.vector) for chunk in chunks],
    ]


def vector_columns(memories: Sequence[EmbeddedMemory]) -> list[list[Any]]:
    """The last five arrays of add_memories.sql."""
    columns: list[list[Any]] = [[], [], [], [], []]
    for embedded in memories:
        own = [[embedded.memory.id] * len(embedded.chunks), *chunk_columns(embedded.chunks)]
        for column, part in zip(columns, own, strict=True):
            column += part
    return columns
