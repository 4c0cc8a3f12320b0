"""The vector index of large scopes: when it is worth its price, of which kind, and how it is built.

Small scopes are ranked in full and need none. An ivfflat index on an empty table has meaningless
centres, and one that the table has outgrown has stale ones, so it is built late and built again.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import asyncpg

from serve_app.settings import IndexKind
from serve_app.storage.connection import Connection, translated_errors
from serve_app.storage.model_stamp import enter_place, list_places

ADVISORY_LOCK = 7_301_771_902
GROWTH = 2.0
PROGRESS_SECONDS = 1.0
COUNT_SECONDS = 600
HNSW_OPTIONS = "m = 20, ef_construction = 100"
"""pgvector's own (16, 64) leave 3 % of a 300,000-vector graph's neighbours out of reach."""
HNSW_NODE_BYTES = 1280
"""Neighbours and bookkeeping of one vector in memory: 1024 at m = 16, measured and rounded up."""
LEAST_BUILD_MEGABYTES = 64
MOST_BUILD_MEGABYTES = 2048

Progress = Callable[[str], None]


async def tend_indexes(
    connection: Connection, setting: IndexKind, min_rows: int, exact_rows: int
) -> None:
    """Tend the index of each set of vectors; the connection is left in the last one."""
    for place in await list_places(connection):
        await enter_place(connection, place)
        await tend_index(connection, setting, min_rows, exact_rows)


async def tend_index(
    connection: Connection, setting: IndexKind, min_rows: int, exact_rows: int
) -> bool:
    """Build the index when it is due: none yet, another kind, or the table has outgrown it.

    The kind is `setting`, unless `switch_index` was asked for another since it last changed.
    Returns whether it was built. Does nothing while the table has fewer than `min_rows` vectors or
    no scope above `exact_rows`, or while another process tends it.
    """
    async with translated_errors():
        if not await connection.fetchval("select pg_try_advisory_lock($1)", ADVISORY_LOCK):
            return False
        try:
            kind = await _wanted_kind(connection, setting)
            rows = await _estimate_rows(connection)
            await _note_growth(connection, rows)
            if rows < min_rows or not await _is_due(connection, kind, rows):
                return False
            if not await _has_large_scope(connection, exact_rows):
                return False
            await _build(connection, kind, rows)
            return True
        finally:
            await connection.execute("select pg_advisory_unlock($1)", ADVISORY_LOCK)


async def switch_index(dsn: str, kind: IndexKind, progress: Progress) -> None:
    """Build an index of this kind now, whatever the size, telling how far it is; drop the other.

    It is that of the active model's vectors.
    """
    async with translated_errors():
        connection = await asyncpg.connect(dsn, timeout=10)
        watcher = await asyncpg.connect(dsn, timeout=10)
        try:
            await enter_place(connection, (await list_places(connection))[0])
            progress("Waiting for whoever tends the index")
            await connection.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)
            await connection.execute(
                "insert into index_choice (kind) values ($1) "
                "on conflict (only_row) do update set kind = $1, setting = null",
                kind,
            )
            rows = await connection.fetchval(
                "select count(*) from memory_vectors where active", timeout=COUNT_SECONDS
            )
            building = asyncio.create_task(_build(connection, kind, rows))
            while not building.done():
                await asyncio.wait([building], timeout=PROGRESS_SECONDS)
                await _report(watcher, kind, progress)
            await building
        finally:
            await connection.close()
            await watcher.close()


def choose_lists(rows: int) -> int:
    """ivfflat's number of lists: rows / 1000 up to a million, then the square root (pgvector)."""
    return max(10, rows // 1000 if rows <= 1_000_000 else math.isqrt(rows))


async def _wanted_kind(connection: Connection, setting: IndexKind) -> IndexKind:
    """Whatever was said last: the setting, or the choice of an operator."""
    choice = await connection.fetchrow(
        "update index_choice set setting = coalesce(setting, $1) returning kind, setting", setting
    )
    if choice is None:
        return setting
    if choice["setting"] == setting:
        return choice["kind"]
    await connection.execute("delete from index_choice")
    return setting


async def _estimate_rows(connection: Connection) -> int:
    """Vectors in the table as the last vacuum or analyze saw them; no scan."""
    estimate = await connection.fetchval(
        "select greatest(reltuples, 0)::bigint from pg_class where oid = 'memory_vectors'::regclass"
    )
    return estimate or 0


async def _is_due(connection: Connection, kind: IndexKind, rows: int) -> bool:
    index = await connection.fetchrow("select kind, rows_at_build from ann_index")
    if index is None or index["kind"] != kind:
        return True
    # HNSW grows with its table; only ivfflat's centres go stale.
    return kind == "ivfflat" and rows > GROWTH * max(index["rows_at_build"], 1)


async def _note_growth(connection: Connection, rows: int) -> None:
    """HNSW is not built again: searches weigh it by the rows that it holds now."""
    await connection.execute(
        "update ann_index set rows_at_build = $1 where kind = 'hnsw' and rows_at_build < $1", rows
    )


async def _has_large_scope(connection: Connection, exact_rows: int) -> bool:
    """Whether any scope is too large to be ranked in full: one bounded probe a scope."""
    found = await connection.fetchval(
        """select exists (
             select from scopes s where exists (
               select from memory_vectors v where v.scope_id = s.scope_id and v.active offset $1))
        """,
        exact_rows,
        timeout=600,
    )
    return found is True


async def _build(connection: Connection, kind: IndexKind, rows: int) -> None:
    """Build beside the old index, make it the one that is used, then drop the old one."""
    await _drop_others(connection, keep=await _current_name(connection))
    lists = choose_lists(rows) if kind == "ivfflat" else None
    name = f"memory_vectors_{kind}_{rows}_{await connection.fetchval('select txid_current()')}"
    options = f"lists = {lists}" if lists else HNSW_OPTIONS
    dimension = await connection.fetchval("select dimension from embedding_model") or 384
    await connection.execute("set statement_timeout = 0")
    await connection.execute("set lock_timeout = 0")
    await connection.execute(f"set maintenance_work_mem = '{_build_megabytes(rows, dimension)}MB'")
    try:
        await connection.execute(
            f"create index concurrently {name} on memory_vectors "
            f"using {kind} (embedding halfvec_cosine_ops) with ({options}) where active",
            timeout=24 * 3600,
        )
        await connection.execute(
            "insert into ann_index (kind, lists, rows_at_build) values ($1, $2, $3) "
            "on conflict (only_row) do update set kind = $1, lists = $2, rows_at_build = $3, "
            "built_at = now()",
            kind,
            lists,
            rows,
        )
        await _drop_others(connection, keep=name)
    finally:
        await connection.execute(
            "reset statement_timeout; reset lock_timeout; reset maintenance_work_mem"
        )


async def _current_name(connection: Connection) -> str | None:
    """The newest valid vector index; broken leftovers of a build that failed are not it."""
    return await connection.fetchval(
        _INDEXES + " and x.indisvalid order by x.indexrelid desc limit 1"
    )


async def _drop_others(connection: Connection, keep: str | None) -> None:
    for row in await connection.fetch(_INDEXES):
        if row["name"] != keep:
            await connection.execute(f"drop index concurrently {row['name']}", timeout=3600)


def _build_megabytes(rows: int, dimension: int) -> int:
    """Enough for the whole graph, within bounds: past it a build takes several times as long."""
    needed = rows * (2 * dimension + HNSW_NODE_BYTES) // 2**20
    return min(max(needed, LEAST_BUILD_MEGABYTES), MOST_BUILD_MEGABYTES)


async def _report(watcher: Connection, kind: IndexKind, progress: Progress) -> None:
    row: Any = await watcher.fetchrow(
        "select phase, tuples_done, tuples_total, blocks_done, blocks_total "
        "from pg_stat_progress_create_index limit 1"
    )
    if row is None:
        return
    done, total = row["tuples_done"], row["tuples_total"]
    if not total:
        done, total = row["blocks_done"], row["blocks_total"]
    share = f" {100 * done // total} %" if total else ""
    progress(f"Building {kind}: {row['phase']}{share}")


_INDEXES = """
select c.relname as name from pg_index x
join pg_class c on c.oid = x.indexrelid join pg_am a on a.oid = c.relam
where x.indrelid = 'memory_vectors'::regclass and a.amname in ('ivfflat', 'hnsw')"""
