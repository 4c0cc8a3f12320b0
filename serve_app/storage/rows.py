"""Rows become nouns, and nouns become columns."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from pgvector import HalfVector

from serve_app.core.memory import Chunk, EmbeddedMemory, Kind, Memory, Scope, Status
from serve_app.core.text import content_hash


def to_memory(row: asyncpg.Record) -> Memory:
    """The memory of a row that has its columns and those of its scope."""
    return Memory(
        id=_uuid(row["id"]),
        scope=Scope(row["tenant_id"], row["agent_id"], row["user_id"]),
        content=row["content"],
        kind=Kind(row["kind"]),
        importance=row["importance"],
        created_at=row["created_at"],
        occurred_at=row["occurred_at"],
        updated_at=row["updated_at"],
        status=Status(row["status"]),
        sources=tuple(_uuid(source) for source in row["sources"]),
        superseded_by=None if row["superseded_by"] is None else _uuid(row["superseded_by"]),
    )


def memory_columns(memories: Sequence[EmbeddedMemory], scope_ids: Sequence[int]) -> list[Any]:
    """The first twelve arrays of add_memories.sql."""
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
        )
        for m, scope_id in zip((e.memory for e in memories), scope_ids, strict=True)
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def chunk_columns(chunks: Sequence[Chunk]) -> list[list[Any]]:
    """Ordinals, span starts, span ends and embeddings."""
    return [
        list(range(len(chunks))),
        [chunk.start for chunk in chunks],
        [chunk.end for chunk in chunks],
        [HalfVector(chunk.vector) for chunk in chunks],
    ]


def vector_columns(memories: Sequence[EmbeddedMemory]) -> list[list[Any]]:
    """The last five arrays of add_memories.sql."""
    columns: list[list[Any]] = [[], [], [], [], []]
    for embedded in memories:
        own = [[embedded.memory.id] * len(embedded.chunks), *chunk_columns(embedded.chunks)]
        for column, part in zip(columns, own, strict=True):
            column += part
    return columns


def _uuid(value: Any) -> UUID:
    """A plain UUID: asyncpg's own class cannot leave the process."""
    return UUID(int=value.int)
