"""How exact and how fast a search is, by size of scope and kind of index.

Loads skewed scopes of clustered vectors into an embedded Postgres of its own, asks each scope, and
compares with numpy. Topics cross all scopes: the hard case for a filtered vector index.

    python -m bench.retrieve --rows 300000 --index none,ivfflat,hnsw --json search.json
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from uuid import UUID

import asyncpg
import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.asyncpg import register_vector
from pydantic import SecretStr

from serve_app.core.memory import Scope
from serve_app.core.ranking import RankingPolicy, rank, recency
from serve_app.core.search import VectorSearch
from serve_app.local.postgres import EmbeddedPostgres
from serve_app.settings import load_settings
from serve_app.storage.ann_index import switch_index
from serve_app.storage.connection import Connection, open_pool
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.migrate import migrate

DIMENSION = 384
TOPICS = 400
TOP_K = 10
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SHARES = (1 / 6, 1 / 13, 1 / 20, 1 / 37, 1 / 100, 1 / 300, 1 / 1000, 1 / 3000)
ALPHAS = (0.3, 0.7, 1.0)
COPY_ROWS = 10_000

Floats = NDArray[np.float32]
BenchKind = Literal["none", "ivfflat", "hnsw"]
MEMORY_COLUMNS = [
    "id",
    "tenant_id",
    "scope_id",
    "content",
    "kind",
    "importance",
    "created_at",
    "occurred_at",
    "updated_at",
    "content_hash",
]
VECTOR_COLUMNS = [
    "memory_id",
    "ordinal",
    "tenant_id",
    "scope_id",
    "span_start",
    "span_end",
    "kind",
    "importance",
    "occurred_at",
    "active",
    "embedding",
]


@dataclass(frozen=True)
class Rows:
    """n rows: vectors (n, 384) as they are stored, scope numbers (n,), ages in days (n,)."""

    vectors: Floats
    scope: NDArray[np.int64]
    ages: NDArray[np.float64]
    topics: Floats


@dataclass(frozen=True)
class Line:
    """One line of the table: recall is the share of the true best; times in milliseconds."""

    index: str
    scope: int
    alpha: float
    recall: float
    short: int
    p50: float
    p99: float

    def __str__(self) -> str:
        shown = f"| {self.index} | {self.scope:,} | {self.alpha} | {self.recall:.3f} |"
        return f"{shown} {self.short} | {self.p50:.1f} | {self.p99:.1f} |"


def _unit(vectors: Floats) -> Floats:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def make_rows(count: int, random: np.random.Generator) -> Rows:
    """A few large scopes by SHARES; the rest of the rows in scopes of ten."""
    sizes = [max(10, int(count * share)) for share in SHARES]
    small = (count - sum(sizes)) // 10
    scope = np.repeat(np.arange(len(sizes) + small), sizes + [10] * small)
    random.shuffle(scope)
    topics = _unit(random.standard_normal((TOPICS, DIMENSION), dtype=np.float32) + 0.4)
    vectors = random.standard_normal((len(scope), DIMENSION), dtype=np.float32)
    vectors *= 0.055
    vectors += topics[random.integers(0, TOPICS, len(scope))]
    stored = _unit(vectors).astype(np.float16).astype(np.float32)
    return Rows(stored, scope, np.round(random.exponential(60, len(scope)), 6), topics)


async def load(dsn: str, rows: Rows) -> None:
    """COPY everything, then vacuum, as autovacuum would after a while."""
    connection = await asyncpg.connect(dsn)
    try:
        await register_vector(connection)
        scopes = [(n + 1, 1, "agent", f"user-{n}") for n in range(int(rows.scope.max()) + 1)]
        names = ["scope_id", "tenant_id", "agent_id", "user_id"]
        await connection.copy_records_to_table("scopes", records=scopes, columns=names)
        for start in range(0, len(rows.scope), COPY_ROWS):
            await _copy(connection, rows, range(start, min(start + COPY_ROWS, len(rows.scope))))
        await connection.execute("vacuum analyze memory_vectors", timeout=600)
        await connection.execute("vacuum analyze memories", timeout=600)
    finally:
        await connection.close()


async def _copy(connection: Connection, rows: Rows, part: range) -> None:
    memories: list[tuple[object, ...]] = []
    vectors: list[tuple[object, ...]] = []
    for n in part:
        at, scope_id = NOW - timedelta(days=float(rows.ages[n])), int(rows.scope[n]) + 1
        memory_id = UUID(int=n + 1)
        memories.append((memory_id, 1, scope_id, f"memory {n}", "episodic", 0.5, at, at, at, b""))
        vector = HalfVector(rows.vectors[n])
        vectors.append((memory_id, 0, 1, scope_id, 0, 8, "episodic", 0.5, at, True, vector))
    await connection.copy_records_to_table("memories", records=memories, columns=MEMORY_COLUMNS)
    await connection.copy_records_to_table(
        "memory_vectors", records=vectors, columns=VECTOR_COLUMNS
    )


def true_scores(rows: Rows, inside: NDArray[np.int64], search: VectorSearch) -> list[float]:
    """The TOP_K best scores of a scope, best first, by brute force."""
    policy = search.policy
    vectors = rows.vectors[inside].astype(np.float64)
    similarity = vectors @ np.asarray(search.vector, np.float64) / np.linalg.norm(vectors, axis=1)
    fresh = recency(rows.ages[inside], policy.half_life_days)
    scores = policy.similarity_weight * similarity + policy.recency_weight * fresh
    return sorted(scores.tolist(), reverse=True)[:TOP_K]


async def measure(
    memories: PostgresMemories, rows: Rows, number: int, alpha: float, queries: int
) -> Line:
    """Ask one scope `queries` times, near topics that it shares with all others."""
    random = np.random.default_rng(number)
    inside = np.flatnonzero(rows.scope == number)
    scope, policy = Scope(1, "agent", f"user-{number}"), RankingPolicy.from_alpha(alpha, 30.0)
    found, wanted, short, times = 0, 0, 0, list[float]()
    for _ in range(queries):
        noise = random.standard_normal(DIMENSION, dtype=np.float32)
        vector = _unit(rows.topics[random.integers(TOPICS)] + 0.055 * noise)
        vector = _unit(vector.astype(np.float16).astype(np.float32))
        search = VectorSearch(scope, vector, TOP_K, policy, NOW)
        started = time.perf_counter()
        candidates = await memories.search(search)
        times.append(1000 * (time.perf_counter() - started))
        truth = true_scores(rows, inside, search)
        hits = rank(candidates, NOW, policy, TOP_K)
        found += sum(hit.score >= truth[-1] - 1e-5 for hit in hits)
        wanted += len(truth)
        short += len(hits) < len(truth)
    p50, p99 = (float(value) for value in np.percentile(times, [50, 99]))
    return Line("", len(inside), alpha, found / wanted, short, p50, p99)


async def compare(dsn: str, rows: Rows, kinds: list[BenchKind], queries: int) -> list[Line]:
    """Print the table: every index, every size of scope, two weights of similarity."""
    settings = load_settings(database_url=SecretStr(dsn), db_min_pool_size=1, db_max_pool_size=1)
    print(f"\n{len(rows.scope):,} vectors, {int(rows.scope.max()) + 1:,} scopes, top {TOP_K}\n")
    print("| index | scope | alpha | recall | short | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|")
    lines: list[Line] = []
    for kind in kinds:
        if kind != "none":
            started = time.perf_counter()
            await switch_index(dsn, kind, lambda _line: None)
            _tell(f"built {kind} in {time.perf_counter() - started:.1f} s")
        pool = await open_pool(settings)
        memories = PostgresMemories(pool, settings)
        for number in range(len(SHARES) + 1):
            for alpha in ALPHAS:
                # The first round fills the caches of a fresh connection.
                await measure(memories, rows, number, alpha, 3)
                line = await measure(memories, rows, number, alpha, queries)
                lines.append(replace(line, index=kind))
                print(lines[-1], flush=True)
        await pool.close()
    return lines


async def run(dsn: str, count: int, kinds: list[BenchKind], queries: int) -> list[Line]:
    """Migrate, load, compare."""
    await migrate(dsn)
    _tell(f"making {count:,} vectors")
    rows = make_rows(count, np.random.default_rng(1))
    _tell("loading them")
    await load(dsn, rows)
    return await compare(dsn, rows, kinds, queries)


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> None:
    """Read the command line; the server and its data are gone afterwards."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=300_000, help="vectors to load")
    parser.add_argument(
        "--index", default="none,ivfflat,hnsw", help="kinds in order, none first; commas between"
    )
    parser.add_argument("--queries", type=int, default=50, help="searches a line")
    parser.add_argument("--json", type=Path, help="write the table there, too")
    arguments = parser.parse_args()
    known: dict[str, BenchKind] = {"none": "none", "hnsw": "hnsw", "ivfflat": "ivfflat"}
    unknown = [name for name in arguments.index.split(",") if name not in known]
    if unknown:
        parser.error(f"no such index: {', '.join(unknown)}")
    kinds: list[BenchKind] = [known[name] for name in arguments.index.split(",")]
    with tempfile.TemporaryDirectory(prefix="fleetmem-bench-") as directory:
        Path(directory).chmod(0o755)
        server = EmbeddedPostgres(Path(directory) / "data").start()
        try:
            lines = asyncio.run(run(server.dsn, arguments.rows, kinds, arguments.queries))
        finally:
            server.stop()
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
