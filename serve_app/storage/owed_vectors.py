"""What the other model has no vectors of: read, stored, and the switch once nothing is left."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from uuid import UUID

from serve_app.core.errors import ModelChanged
from serve_app.core.memory import Chunk
from serve_app.core.model_change import OwedMemory
from serve_app.storage.connection import Connection
from serve_app.storage.model_stamp import MODEL_LOCK, read_stamp
from serve_app.storage.queries import query
from serve_app.storage.rows import chunk_columns

MOST_CHARACTERS = 65_536
"""Of one batch, unless a single memory has more: it must be embedded within a call's time."""

FILLER_LOCK = 7_301_771_904
"""Held by the one process that fills."""

FIRST = (0, UUID(int=0))

Filled = Sequence[tuple[OwedMemory, tuple[Chunk, ...]]]


class PostgresOwed:
    """Implements fill_vectors.OwedVectors on one connection, which nobody else uses meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def only_filler(self) -> AsyncGenerator[bool]:
        """Whether this is the only filler for the block's time; it is told at once."""
        held = await self._connection.fetchval("select pg_try_advisory_lock($1)", FILLER_LOCK)
        try:
            yield held is True
        finally:
            if held:
                await self._connection.execute("select pg_advisory_unlock($1)", FILLER_LOCK)

    async def other_model(self) -> str | None:
        """See OwedVectors."""
        return await self._connection.fetchval(
            "select e.other from embedding_model e join model_change c on c.total is not null"
        )

    async def read(self, after: OwedMemory | None, limit: int) -> list[OwedMemory]:
        """See OwedVectors."""
        key = FIRST if after is None else after.key
        batch: list[OwedMemory] = []
        characters = 0
        for row in await self._connection.fetch(query("read_owed"), *key, limit):
            characters += len(row["content"])
            if batch and characters > MOST_CHARACTERS:
                break
            batch.append(OwedMemory(*row))
        return batch

    async def store(self, model: str, filled: Filled) -> int:
        """See OwedVectors; raises ModelChanged when there are no vectors of that model any more."""
        paid = 0
        async with self._connection.transaction():
            stamp = await read_stamp(self._connection)
            if stamp is None or model not in stamp.names:
                raise ModelChanged(f"there are no vectors of {model} any more")
            for tenant_id, of_tenant in groupby(filled, key=lambda pair: pair[0].tenant_id):
                paid += await self._store_of_tenant(tenant_id, model, list(of_tenant))
        return paid

    async def note(self, per_second: float, error: str | None) -> None:
        """See OwedVectors."""
        await self._connection.execute(
            "update model_change set error = $2, "
            "per_second = 0.8 * coalesce(per_second, $1) + 0.2 * $1",
            per_second,
            error,
        )

    async def count(self) -> int:
        """See OwedVectors."""
        return await self._connection.fetchval("select count(*) from vectors_owed") or 0

    @asynccontextmanager
    async def standstill(self) -> AsyncGenerator[None]:
        """See OwedVectors."""
        async with self._connection.transaction():
            await self._connection.execute("select pg_advisory_xact_lock($1)", MODEL_LOCK)
            yield

    async def switch(self, model: str) -> None:
        """See OwedVectors."""
        await self._connection.execute(
            "update public.embedding_model set name = other, dimension = other_dimension, "
            "place = case place when 'public' then 'second_set' else 'public' end, "
            "other = name, other_dimension = dimension where other = $1",
            model,
        )

    async def _store_of_tenant(self, tenant_id: int, model: str, filled: Filled) -> int:
        ids: list[UUID] = []
        columns: list[list[object]] = [[], [], [], []]
        for memory, chunks in filled:
            ids += [memory.id] * len(chunks)
            for column, part in zip(columns, chunk_columns(chunks), strict=True):
                column += part
        paid = await self._connection.fetchval(
            "select fill_vectors($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            *(tenant_id, model),
            [memory.id for memory, _ in filled],
            [memory.content_hash for memory, _ in filled],
            ids,
            *columns,
        )
        return paid or 0
