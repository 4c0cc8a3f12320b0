"""What the path itself costs: bare Serve against ours, both without ONNX and SQL.

Each round starts every application anew and measures it at each number of callers; uvicorn in the
same round tells how fast the machine was. CPU is that of all processes, Ray's idle work included.
"""

import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from bench.applications import open_application, open_hello
from bench.client import Load, LoadClient, Request, RequestSource, open_client
from bench.processes import watch_processes
from bench.reporting import RESULTS, Result, plot_lines, say, tabulate, write_result
from bench.running import Service
from bench.workload import unique_searches

TARGET = {"callers": 64, "cpu_ms": 1.3}
IDLE_SECONDS = 3.0
WARM_UP_SECONDS = 2.0


def greet(seed: int) -> Iterator[Request]:
    """GET /, for ever."""
    while True:
        yield Request("GET", "/")


APPLICATIONS: dict[str, tuple[str | None, RequestSource]] = {
    "uvicorn": (None, greet),
    "bare": ("bench.bare", unique_searches),
    "ours": ("bench.constant", unique_searches),
}


def main(
    callers: Annotated[str, typer.Option(help="Closed loops, commas between.")] = "1,32,64,128",
    seconds: Annotated[float, typer.Option(help="Length of each measurement.")] = 8.0,
    rounds: Annotated[int, typer.Option(help="Starts of each application; medians.")] = 1,
    applications: Annotated[str, typer.Option(help="Which of uvicorn, bare, ours.")] = (
        "uvicorn,bare,ours"
    ),
) -> None:
    """Compare CPU-ms per request; example: python -m bench serve --callers 64 --seconds 5."""
    counts = [int(count) for count in callers.split(",")]
    rows: list[Result] = []
    with open_client() as client:
        for _ in range(rounds):
            for name in applications.split(","):
                rows += measure_application(name, client, counts, seconds)
    rows = take_medians(rows)
    print(_show(rows))
    result: Result = {"seconds": seconds, "rounds": rounds, "rows": rows, "target": TARGET}
    write_result("serve", result)
    draw(result, RESULTS)


def measure_application(
    name: str, client: LoadClient, counts: list[int], seconds: float
) -> Generator[Result]:
    """A row for each number of callers, and what the idle application takes."""
    module, source = APPLICATIONS[name]
    opened: AbstractContextManager[Service] = open_application(module) if module else open_hello()
    with opened as service:
        with watch_processes(service.pid) as idle:
            time.sleep(IDLE_SECONDS)
        for seed, callers in enumerate(counts):
            load = Load(service.url, source, WARM_UP_SECONDS, callers, seed=2 * seed)
            client.run(load)
            with watch_processes(service.pid) as usage:
                measured = client.run(
                    Load(service.url, source, seconds, callers, seed=2 * seed + 1)
                )
            row: Result = {"application": name, "callers": callers, **measured.describe()}
            row["cpu_ms_by_process"] = usage.milliseconds_each(measured.count)
            row["cpu_ms"] = row["cpu_ms_by_process"]["total"]
            row["idle_cores"] = round(sum(idle.cpu_seconds.values()) / IDLE_SECONDS, 3)
            row["neighbour_cores"] = usage.neighbour_cores
            say(f"{name:8} {callers:4} callers  {row['cpu_ms']:.3f} CPU-ms per request")
            yield row


def take_medians(rows: list[Result]) -> list[Result]:
    """One row of each application and number of callers: the one with the median CPU."""
    chosen: list[Result] = []
    for key in dict.fromkeys((row["application"], row["callers"]) for row in rows):
        same = [row for row in rows if (row["application"], row["callers"]) == key]
        middle = median(row["cpu_ms"] for row in same)
        chosen.append(min(same, key=lambda row: abs(row["cpu_ms"] - middle)))
    return chosen


def draw(result: Result, folder: Path) -> None:
    """CPU-ms per request over callers."""
    rows = result["rows"]
    series = {
        name: (
            [row["callers"] for row in rows if row["application"] == name],
            [row["cpu_ms"] for row in rows if row["application"] == name],
        )
        for name in dict.fromkeys(row["application"] for row in rows)
    }
    axes = ("callers", "CPU-ms per request, all processes")
    title = "The path without ONNX and SQL"
    plot_lines(folder / "serve.png", title, axes, series, logarithmic=True)


def _show(rows: list[Result]) -> str:
    groups = dict.fromkeys(name for row in rows for name in row["cpu_ms_by_process"])
    lines: list[dict[str, Any]] = []
    for row in rows:
        line: dict[str, Any] = {"application": row["application"], "callers": row["callers"]}
        line |= {"req/s": row["requests_per_second"], "p50 ms": row["p50_ms"]}
        line |= {"p99 ms": row["p99_ms"], "errors": row["errors"], "CPU-ms": row["cpu_ms"]}
        line |= {"others' cores": row["neighbour_cores"]}
        each = row["cpu_ms_by_process"]
        lines.append(line | {name: each.get(name, 0.0) for name in groups if name != "total"})
    return tabulate(lines)


if __name__ == "__main__":
    typer.run(main)
