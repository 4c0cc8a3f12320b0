"""What a search costs in Postgres, how exact it is, and how both grow.

Three parts, in an embedded Postgres of its own that is gone afterwards:

  rate    a bare asyncpg loop, our storage layer and the Retrieval deployment in turns: searches/s
  growth  10k to a million rows at one size of scope; 1 to 10,000 scopes at one number of rows
  recall  every size of scope and kind of vector index against brute force

    python -m bench retrieve                                       # all, about fifteen minutes
    python -m bench retrieve --parts rate --rows 100000 --rounds 5
    python -m bench retrieve --parts growth --growth-rows 10000,100000,1000000
    python -m bench retrieve --parts recall --rows 300000 --index none,ivfflat,hnsw
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.memory_growth import measure_growth, measure_rate
from bench.memory_recall import BenchKind, compare_indexes
from bench.memory_rows import DIMENSION, load, make_even_rows, make_skewed_rows
from bench.reporting import RESULTS, Result, plot_lines, say, tabulate, write_result
from serve_app.local.postgres import EmbeddedPostgres
from serve_app.settings import load_settings
from serve_app.storage.migrate import prepare_database

PARTS = ("rate", "growth", "recall")
KINDS: dict[str, BenchKind] = {"none": "none", "hnsw": "hnsw", "ivfflat": "ivfflat"}
SCOPE_SIZE = 100
SCOPES = (1, 10, 100, 1_000, 10_000)


def main() -> None:
    """Read the command line, measure, report; the server and its data are gone afterwards."""
    options = _parse()
    # Whoever ends us lets the server and its files go, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="fleetmem-bench-") as directory:
        Path(directory).chmod(0o755)
        server = EmbeddedPostgres(Path(directory) / "data").start()
        try:
            result = asyncio.run(_run(server.dsn, options))
        finally:
            server.stop()
    for part in PARTS:
        for rows in [result[key] for key in result if key.startswith(part)]:
            say("\n" + tabulate(rows))
    write_result("retrieve", result, options.results)
    draw(result, options.results)


def draw(result: Result, folder: Path = RESULTS) -> None:
    """One plot for each part that was measured."""
    if rate := result.get("rate"):
        names = [key for key in rate[0] if key.endswith("_per_second")]
        series = {
            name.removesuffix("_per_second"): _series(rate, "callers", name) for name in names
        }
        axes = ("callers", "searches per second")
        plot_lines(folder / "retrieve-rate.png", "A bare loop against ours", axes, series, True)
    for key, across in (("growth_by_rows", "rows"), ("growth_by_scopes", "scopes")):
        if rows := result.get(key):
            series = {name: _series(rows, across, name) for name in ("p50_ms", "p99_ms")}
            path = folder / f"retrieve-{key.replace('_', '-')}.png"
            plot_lines(path, "How a search grows", (across, "milliseconds"), series, True)


def _series(rows: Sequence[Result], across: str, up: str) -> tuple[list[float], list[float]]:
    return [row[across] for row in rows], [row[up] for row in rows]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench retrieve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--parts", type=_one_of(PARTS), default=PARTS, help="commas between")
    add("--rows", type=int, default=100_000, help="of rate, recall, and growth by scopes")
    add("--growth-rows", type=_numbers, default=(10_000, 100_000, 1_000_000), help="to compare")
    add("--rounds", type=int, default=5, help="turns of each way in rate; the median counts")
    add("--seconds", type=float, default=3.0, help="of each turn in rate")
    add("--queries", type=int, default=200, help="searches a line in growth")
    add("--index", type=_one_of(tuple(KINDS)), default=tuple(KINDS), help="none first")
    add("--index-queries", type=int, default=25, help="searches a line in recall")
    add("--results", type=Path, default=RESULTS, help="folder for the JSON and the plots")
    return parser.parse_args()


def _one_of(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    def split(text: str) -> list[str]:
        names = text.split(",")
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"not among {', '.join(known)}: {sorted(unknown)}")
        return names

    return split


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


async def _run(dsn: str, options: argparse.Namespace) -> Result:
    await _prepare(dsn)
    result: Result = {"benchmark": "retrieve", "top_k": 10, "rows": options.rows}
    if "rate" in options.parts:
        say(f"rate: {options.rows:,} rows in scopes of {SCOPE_SIZE}")
        rows = make_even_rows(options.rows, max(1, options.rows // SCOPE_SIZE), seed=1)
        await load(dsn, rows)
        result["rate"] = await measure_rate(dsn, rows, (options.rounds, options.seconds))
    if "growth" in options.parts:
        say(f"growth: scopes of {SCOPE_SIZE}")
        shapes = [(count, count // SCOPE_SIZE) for count in options.growth_rows]
        result["growth_by_rows"] = [await measure_growth(dsn, s, options.queries) for s in shapes]
        say(f"growth: {options.rows:,} rows")
        shapes = [(options.rows, count) for count in SCOPES if count <= options.rows]
        result["growth_by_scopes"] = [await measure_growth(dsn, s, options.queries) for s in shapes]
    if "recall" in options.parts:
        say(f"recall: {options.rows:,} rows in skewed scopes")
        rows = make_skewed_rows(options.rows, seed=1)
        await load(dsn, rows)
        kinds: list[BenchKind] = [KINDS[name] for name in options.index]
        result["recall"] = await compare_indexes(dsn, rows, kinds, options.index_queries)
    return result


async def _prepare(dsn: str) -> None:
    await prepare_database(dsn, load_settings().stored_model, DIMENSION)


if __name__ == "__main__":
    main()
