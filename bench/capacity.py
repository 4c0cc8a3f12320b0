"""A model on paper: what N nodes serve, and what M million memories take.

CPU is what bounds the service, so a rate is cores over CPU-seconds per request; memory and disk
grow with the memories. The numbers come from the results of `bench http` and `bench ingest`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.reporting import RESULTS, Result, tabulate

USABLE_SHARE = 0.85
"""Of a core's time: above it queues grow long, and Postgres and the kernel want some."""

SEARCH_SHARE = 0.75
ANN_INDEX_BYTES = 1113
"""Of one vector of 384 half floats in an HNSW index: 334 MB for 300,000 of them; ivfflat's is
smaller."""


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU-ms of one request without idle work, and cores that an idle node takes."""

    search_ms: float
    write_ms: float
    idle_cores: float


@dataclass(frozen=True, slots=True)
class Bytes:
    """On disk, of one memory: rows of both tables, and their indexes without an ANN index."""

    heap: float
    indexes: float


@dataclass(frozen=True, slots=True)
class Storage:
    """GiB on disk, and GiB that Postgres should hold in memory to search without reading."""

    disk_gib: float
    memory_gib: float


def predict_rate(nodes: int, cores: int, costs: Costs, search_share: float = SEARCH_SHARE) -> float:
    """Requests per second that `nodes` of `cores` each sustain; Postgres shares those cores.

    Raises ValueError when a node's idle work takes all that it has.
    """
    usable = cores * USABLE_SHARE - costs.idle_cores
    if usable <= 0:
        raise ValueError("a node needs more cores than its idle work takes")
    each = search_share * costs.search_ms + (1 - search_share) * costs.write_ms
    return nodes * usable * 1000 / each


def predict_storage(memories: int, each: Bytes, indexed_share: float = 1.0) -> Storage:
    """What `memories` take; `indexed_share` of them lie in scopes large enough for an ANN index.

    A search reads no heap but that of its hits, so indexes are what must fit in memory.
    """
    indexes = memories * (each.indexes + indexed_share * ANN_INDEX_BYTES)
    return Storage((memories * each.heap + indexes) / 2**30, indexes / 2**30)


def read_costs(result: Result) -> Costs:
    """Costs from a result of `bench http`: 64 callers, unique searches and the mix of 3:1.

    What the service takes idle is taken out of each row: it does not grow with the requests.
    """
    rows = {row["workload"]: row for row in result["rows"] if row["callers"] == 64}
    idle = float(result["idle_cores"])
    search, mix = (_cost_without_idle(rows[name], idle) for name in ("unique", "mixed"))
    # A mix is three searches for each write.
    return Costs(search, max(0.0, (mix - SEARCH_SHARE * search) / (1 - SEARCH_SHARE)), idle)


def read_bytes(result: Result) -> Bytes:
    """Bytes of one memory from a result of `bench ingest`."""
    sizes = result["bytes_each"]
    heap, indexes = (
        sum(size for name, size in sizes.items() if name.endswith(ending))
        for ending in (" heap", " indexes")
    )
    return Bytes(heap, indexes)


def _cost_without_idle(row: Result, idle: float) -> float:
    return float(row["cpu_ms"]) - 1000 * idle / float(row["requests_per_second"])


def main(
    http: Annotated[Path, typer.Option(help="What bench http wrote.")] = RESULTS / "http.json",
    ingest: Annotated[Path, typer.Option(help="What bench ingest wrote.")] = (
        RESULTS / "ingest.json"
    ),
    cores: Annotated[int, typer.Option(help="Cores of a node.")] = 8,
) -> None:
    """Tell what nodes serve and memories take; example: python -m bench.capacity --cores 16."""
    measured = json.loads(http.read_text(encoding="utf-8"))
    costs = read_costs(measured)
    each = read_bytes(json.loads(ingest.read_text(encoding="utf-8")))
    print(f"search {costs.search_ms:.2f} CPU-ms, write {costs.write_ms:.2f} CPU-ms\n")
    print(tabulate([_describe_rate(nodes, cores, costs) for nodes in (1, 2, 4, 8, 16)]), "\n")
    print(tabulate([_describe_storage(millions, each) for millions in (1, 10, 100)]), "\n")
    here = measured["machine"]["cores"]
    mix = next(r for r in measured["rows"] if r["workload"] == "mixed" and r["callers"] == 64)
    foretold, seen = predict_rate(1, here, costs), mix["requests_per_second"]
    print(f"Check, mixed, {here} cores: {foretold:.0f} requests/s foretold, {seen:.0f} measured")


def _describe_rate(nodes: int, cores: int, costs: Costs) -> Result:
    row: Result = {"nodes": nodes, "cores": nodes * cores}
    for name, share in (("searches/s", 1.0), ("mixed 3:1/s", SEARCH_SHARE), ("writes/s", 0.0)):
        row[name] = predict_rate(nodes, cores, costs, share)
    return row


def _describe_storage(millions: int, each: Bytes) -> Result:
    taken = predict_storage(millions * 1_000_000, each)
    return {
        "million memories": millions,
        "disk GiB": taken.disk_gib,
        "memory GiB": taken.memory_gib,
    }


if __name__ == "__main__":
    typer.run(main)
