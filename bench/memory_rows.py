"""Synthetic memories for benchmarks: made in numpy, stored by a binary COPY without an index.

Topics cross all scopes, so no scope is a neighbourhood of its own: the hard case for a filtered
vector index. A million rows load in about a minute.
"""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from bench.reporting import say
from serve_app.core.memory import Scope
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import VectorSearch
from serve_app.settings import load_settings
from serve_app.storage.connection import Connection

DIMENSION = 384
MODEL = load_settings().stored_model
"""Only its name counts: the vectors are made up."""

TOPICS = 400
NOISE = 0.055
TOP_K = 10
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SHARES = (1 / 6, 1 / 13, 1 / 20, 1 / 37, 1 / 100, 1 / 300, 1 / 1000, 1 / 3000)
MICROSECONDS_TO_NOW = int((NOW - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000
"""Postgres counts time from 2000-01-01."""
DAY = 86_400_000_000
COPY_ROWS = 20_000
COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TAIL = b"\xff\xff"
BUILD_SECONDS = 1800

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """n rows: vectors (n, 384) float16 as they are stored, scope numbers (n,), ages in days.

    Of every `agents` scopes each belongs to another agent of one tenant; 0 gives all to tenant 1.
    """

    vectors: NDArray[np.float16]
    scope: Integers
    ages: NDArray[np.float64]
    topics: Floats
    agents: int = 0

    def name_scope(self, number: int) -> tuple[int, str, str]:
        """Tenant, agent and user of scope `number`."""
        agent = f"agent-{number % self.agents}" if self.agents else "agent"
        return int(self.tenants_of(np.array(number))), agent, f"user-{number}"

    def tenants_of(self, scope: Integers) -> Integers:
        """The tenant of each scope number."""
        return scope // self.agents + 1 if self.agents else np.ones_like(scope)


def make_skewed_rows(count: int, seed: int) -> Rows:
    """A few large scopes by SHARES; the rest of the rows in scopes of ten."""
    sizes = [max(10, int(count * share)) for share in SHARES]
    small = (count - sum(sizes)) // 10
    return _make_rows(np.repeat(np.arange(len(sizes) + small), sizes + [10] * small), seed)


def make_even_rows(count: int, scopes: int, seed: int) -> Rows:
    """`count` rows in `scopes` scopes of the same size, give or take one."""
    return _make_rows(np.arange(count) % scopes, seed)


def ask(rows: Rows, number: int, alpha: float, random: np.random.Generator) -> VectorSearch:
    """A question to scope `number`, near a topic that it shares with all others."""
    noise = random.standard_normal(DIMENSION, dtype=np.float32)
    noise *= NOISE
    vector = _unit(rows.topics[random.integers(TOPICS)] + noise)
    vector = _unit(vector.astype(np.float16).astype(np.float32))
    policy = RankingPolicy.from_alpha(alpha, 30.0)
    scope = Scope(1, "agent", f"user-{number}")
    return VectorSearch(scope, vector, TOP_K, policy, NOW, model=MODEL)


async def load(dsn: str, rows: Rows) -> None:
    """Replace all memories by `rows`, build the indexes, vacuum as autovacuum would later."""
    started = time.perf_counter()
    connection = await asyncpg.connect(dsn, command_timeout=BUILD_SECONDS)
    try:
        await connection.execute("truncate scopes cascade; truncate ann_index")
        await connection.execute("set maintenance_work_mem = '1GB'")
        # Foreign keys hold by construction; checking them row by row takes longer than the rest.
        await connection.execute("set session_replication_role = replica")
        indexes = await _drop_indexes(connection)
        scopes = [(n + 1, *rows.name_scope(n)) for n in range(int(rows.scope.max()) + 1)]
        names = ["scope_id", "tenant_id", "agent_id", "user_id"]
        await connection.copy_records_to_table("scopes", records=scopes, columns=names)
        for table, row in (("memories", MEMORY), ("memory_vectors", VECTOR)):
            columns = [name for name in row if name != "columns"]
            source = _encode(table, row, rows)
            await connection.copy_to_table(table, source=source, columns=columns, format="binary")
        for statement in indexes:
            await connection.execute(statement)
        await connection.execute("vacuum (freeze, analyze) memories")
        await connection.execute("vacuum (freeze, analyze) memory_vectors")
        await connection.execute("vacuum analyze scopes")
        await connection.execute("checkpoint")
    finally:
        await connection.close()
    say(f"Loaded {len(rows.scope):,} rows in {time.perf_counter() - started:.1f} s")


def _make_rows(scope: Integers, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    count = len(scope)
    random.shuffle(scope)
    topics = _unit(random.standard_normal((TOPICS, DIMENSION), dtype=np.float32) + 0.4)
    vectors = np.empty((count, DIMENSION), np.float16)
    # In parts: a million rows in single precision, twice, would take 3 GB.
    for start in range(0, count, COPY_ROWS):
        part = vectors[start : start + COPY_ROWS]
        noise = random.standard_normal(part.shape, dtype=np.float32)
        noise *= NOISE
        part[:] = _unit(topics[random.integers(0, TOPICS, len(part))] + noise)
    return Rows(vectors, scope, np.round(random.exponential(60, count), 6), topics)


def _unit(vectors: Floats) -> Floats:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


async def _drop_indexes(connection: Connection) -> list[str]:
    """Drop the indexes of both tables but those of constraints; the statements that make them."""
    found = await connection.fetch(
        """select x.indexrelid::regclass::text as name, pg_get_indexdef(x.indexrelid) as made_by
        from pg_index x
        where x.indrelid in ('memories'::regclass, 'memory_vectors'::regclass)
          and not exists (select from pg_constraint c where c.conindid = x.indexrelid)"""
    )
    for row in found:
        await connection.execute(f"drop index {row['name']}")
    return [
        row["made_by"]
        for row in found
        if "USING ivfflat" not in row["made_by"] and "USING hnsw" not in row["made_by"]
    ]


CONTENT = "memory 000000000"
MEMORY = {
    "id": "V16",
    "tenant_id": ">i4",
    "scope_id": ">i4",
    "content": f"S{len(CONTENT)}",
    "kind": "S8",
    "importance": ">f8",
    "created_at": ">i8",
    "occurred_at": ">i8",
    "updated_at": ">i8",
    "content_hash": "S1",
}
"""Columns of `memories` and how each lies in a binary COPY."""
VECTOR = {
    "memory_id": "V16",
    "ordinal": ">i2",
    "tenant_id": ">i4",
    "scope_id": ">i4",
    "span_start": ">i4",
    "span_end": ">i4",
    "kind": "S8",
    "importance": ">f8",
    "occurred_at": ">i8",
    "active": "?",
    "embedding": f"V{4 + 2 * DIMENSION}",
}


async def _encode(table: str, row: dict[str, str], rows: Rows) -> AsyncGenerator[bytes]:
    """The table in the format of a binary COPY: every field has one length in all rows."""
    fields = [("columns", ">i2")]
    for name, form in row.items():
        fields += [(f"{name} length", ">i4"), (name, form)]
    layout = np.dtype(fields)
    yield COPY_HEAD
    for start in range(0, len(rows.scope), COPY_ROWS):
        part = range(start, min(start + COPY_ROWS, len(rows.scope)))
        lines: NDArray[Any] = np.zeros(len(part), layout)
        lines["columns"] = len(row)
        for name, form in row.items():
            lines[f"{name} length"] = np.dtype(form).itemsize
            if name not in {"ordinal", "span_start"}:
                lines[name] = _values(name, part, rows)
        yield lines.tobytes()
        if start % (10 * COPY_ROWS) == 0:
            say(f"  {table}: {part.stop:,} of {len(rows.scope):,} rows")
    yield COPY_TAIL


def _values(name: str, part: range, rows: Rows) -> Any:
    """One column of some rows, as its field in the layout takes it."""
    inside = slice(part.start, part.stop)
    numbers = np.arange(part.start, part.stop)
    match name:
        case "id" | "memory_id":
            ids = np.zeros((len(part), 2), ">u8")
            ids[:, 1] = numbers + 1
            return ids.view("V16")[:, 0]
        case "embedding":
            head = np.broadcast_to(np.array([DIMENSION, 0], ">i2"), (len(part), 2))
            halves = rows.vectors[inside].astype(">f2").view(">i2")
            joined = np.ascontiguousarray(np.hstack([head, halves]).astype(">i2"))
            return joined.view(f"V{4 + 2 * DIMENSION}")[:, 0]
        case "content":
            return np.char.add("memory ", np.char.zfill(numbers.astype(str), 9)).astype("S16")
        case "created_at" | "occurred_at" | "updated_at":
            return MICROSECONDS_TO_NOW - np.round(rows.ages[inside] * DAY).astype(np.int64)
        case "scope_id":
            return rows.scope[inside] + 1
        case "tenant_id":
            return rows.tenants_of(rows.scope[inside])
        case _:
            return CONSTANTS[name]


CONSTANTS: dict[str, object] = {
    "span_end": 8,
    "kind": b"episodic",
    "importance": 0.5,
    "active": True,
    "content_hash": b"h",
}
