"""The whole service over HTTP: closed loops of 1 to 256 callers, and open loops at a fixed rate."""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from bench.client import Load, LoadClient, RequestSource, open_client
from bench.pace import measure_pace
from bench.processes import Usage, watch_processes
from bench.reporting import RESULTS, Result, name_variant, plot_lines, say, tabulate, write_result
from bench.running import Service, SettingOption, open_service, parse_settings
from bench.workload import mixed, repeated_searches, seed_scopes, unique_searches

WORKLOADS: dict[str, RequestSource] = {
    "unique": unique_searches,
    "repeated": repeated_searches,
    "mixed": mixed,
}
YARDSTICK: Result = {
    "requests_per_second": 172,
    "p50_ms": 285,
    "p99_ms": 1400,
    "cpu_ms": 12,
    "repeated_factor": 6,
}
"""memex, never-repeated searches of 64 callers of a light client, on a machine of two cores."""

IDLE_SECONDS = 3.0
OPEN_LOOP_SHARE = 0.6
SETTLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often each row is measured; `seed` is the first of the texts' seeds."""

    seconds: float
    warm_up: float
    rounds: int
    seed: int


class HttpBench:
    """One client and one service; each load gets texts that no other had."""

    def __init__(self, service: Service, client: LoadClient, plan: Plan) -> None:
        self._service = service
        self._client = client
        self._plan = plan
        self._seed = plan.seed

    def measure(self, workload: str, callers: int, rate: float | None = None) -> Result:
        """One row: the median of the rounds, number by number."""
        rounds = [self._measure_once(workload, callers, rate) for _ in range(self._plan.rounds)]
        row: Result = {"workload": workload, "callers": callers, "rate": rate}
        row |= {key: median(each[key] for each in rounds) for key in ROW_KEYS}
        row["by_round"] = [[each["pace_ms"], each["p50_ms"]] for each in rounds]
        row["errors"] = sum(each["errors"] for each in rounds)
        row["cpu_ms_by_process"] = rounds[len(rounds) // 2]["cpu_ms_by_process"]
        row["cpu_ms"] = row["cpu_ms_by_process"]["total"]
        row["statuses"] = rounds[-1]["statuses"]
        shown = f"{workload:9} {_name_load(row):12}"
        say(
            f"{shown} {row['requests_per_second']:8.1f} req/s  p50 {row['p50_ms']:7.1f} ms  "
            f"p99 {row['p99_ms']:7.1f} ms  {row['cpu_ms']:6.2f} CPU-ms  {row['errors']} errors"
        )
        return row

    def measure_idle(self) -> float:
        """Cores that the service takes when nobody asks."""
        with watch_processes(self._service.pid) as usage:
            time.sleep(IDLE_SECONDS)
        return round(sum(usage.cpu_seconds.values()) / IDLE_SECONDS, 3)

    def _measure_once(self, workload: str, callers: int, rate: float | None) -> Result:
        self._load(workload, callers, rate, self._plan.warm_up)
        pace = measure_pace()
        with watch_processes(self._service.pid) as usage:
            measured = self._load(workload, callers, rate, self._plan.seconds)
        row = measured.describe()
        row["cpu_ms_by_process"] = usage.milliseconds_each(measured.count)
        row["peak_rss_mib"] = _sum_mebibytes(usage)
        row["neighbour_cores"] = usage.neighbour_cores
        row["pace_ms"] = round((pace + measure_pace()) / 2, 2)
        return row

    def _load(self, workload: str, callers: int, rate: float | None, seconds: float) -> Any:
        self._seed += 1
        source = WORKLOADS[workload]
        load = Load(self._service.url, source, seconds, callers, rate, self._seed)
        measured = self._client.run(load)
        # What the last load has left in queues is not the next one's.
        time.sleep(SETTLE_SECONDS)
        return measured


ROW_KEYS = (
    "requests_per_second",
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "max_ms",
    "peak_rss_mib",
    "neighbour_cores",
    "pace_ms",
)


def main(
    callers: Annotated[str, typer.Option(help="Closed loops, commas between.")] = (
        "1,8,32,64,128,256"
    ),
    workloads: Annotated[str, typer.Option(help="Which of unique, repeated, mixed.")] = (
        "unique,repeated,mixed"
    ),
    seconds: Annotated[float, typer.Option(help="Length of each measurement.")] = 10.0,
    rounds: Annotated[int, typer.Option(help="Measurements of a row; medians are told.")] = 1,
    rate: Annotated[
        float | None, typer.Option(help="Open loop's requests/s; default: 60 % of 64 callers'.")
    ] = None,
    setting: SettingOption = None,
) -> None:
    """Measure a service of its own; example: python -m bench http --callers 1,64 --seconds 5.

    Every row is warmed up for a quarter of its length. CPU is that of all processes of the service
    with Postgres and Ray; the client's own is not counted. The pace is what a fixed piece of Python
    takes before and after a row, so that rows of a faster and a slower hour can be told apart;
    `by_round` has it beside the p50 of each round.
    """
    counts = [int(count) for count in callers.split(",")]
    names = [name for name in workloads.split(",") if name]
    if unknown := set(names) - set(WORKLOADS):
        raise typer.BadParameter(f"no such workload: {', '.join(sorted(unknown))}")
    settings = parse_settings(setting)
    plan = Plan(seconds, max(1.0, seconds / 4), rounds, seed=0)
    with open_service(None, **settings) as service, open_client() as client:
        seeded = seed_scopes(service.url)
        bench = HttpBench(service, client, plan)
        idle = bench.measure_idle()
        rows = [bench.measure(name, count) for name in names for count in counts]
        rows += [bench.measure(name, 0, _choose_rate(rows, name, rate)) for name in names]
    result: Result = {"settings": settings, "memories": seeded, "seconds": seconds}
    result |= {"rounds": rounds, "idle_cores": idle, "rows": rows, "against": compare(rows)}
    print(_show(rows))
    result |= {"benchmark": "http", "name": name_variant("http", settings)}
    write_result(result["name"], result)
    draw(result, RESULTS)


def compare(rows: list[Result]) -> Result:
    """Our 64 callers beside the yardstick: factors of rate and CPU, where both were measured."""
    found = {row["workload"]: row for row in rows if row["callers"] == 64}
    ratios: Result = {"yardstick": YARDSTICK}
    for name in ("unique", "repeated"):
        if row := found.get(name):
            rate = row["requests_per_second"] / YARDSTICK["requests_per_second"]
            cpu = row["cpu_ms"] / YARDSTICK["cpu_ms"]
            ratios[name] = {"rate_factor": round(rate, 2), "cpu_share": round(cpu, 3)}
    return ratios


def draw(result: Result, folder: Path) -> None:
    """Requests per second, p50 and CPU-ms over callers."""
    rows = [row for row in result["rows"] if row["rate"] is None]
    for key, label in (
        ("requests_per_second", "requests/s"),
        ("p50_ms", "p50 (ms)"),
        ("p99_ms", "p99 (ms)"),
        ("cpu_ms", "CPU-ms per request, all processes"),
    ):
        series = {
            name: (
                [row["callers"] for row in rows if row["workload"] == name],
                [row[key] for row in rows if row["workload"] == name],
            )
            for name in dict.fromkeys(row["workload"] for row in rows)
        }
        path = folder / f"{result['name']}-{key.removesuffix('_ms').replace('_', '-')}.png"
        plot_lines(path, "fleetmem over HTTP", ("callers", label), series, logarithmic=True)


def _choose_rate(rows: list[Result], name: str, rate: float | None) -> float:
    """The wanted rate, or a share of the best that this workload reached."""
    best = max(row["requests_per_second"] for row in rows if row["workload"] == name)
    return rate or max(1.0, round(OPEN_LOOP_SHARE * best))


def _name_load(row: Result) -> str:
    if row["rate"]:
        return f"{row['rate']:.0f}/s"
    return "1 caller" if row["callers"] == 1 else f"{row['callers']} callers"


def _sum_mebibytes(usage: Usage) -> float:
    return round(sum(usage.peak_rss_bytes.values()) / 2**20, 1)


def _show(rows: list[Result]) -> str:
    groups = dict.fromkeys(name for row in rows for name in row["cpu_ms_by_process"])
    lines: list[dict[str, Any]] = []
    for row in rows:
        line: dict[str, Any] = {
            "workload": row["workload"],
            "load": _name_load(row),
            "req/s": row["requests_per_second"],
            "p50 ms": row["p50_ms"],
            "p99 ms": row["p99_ms"],
            "errors": row["errors"],
            "others' cores": row["neighbour_cores"],
            "pace ms": row["pace_ms"],
            "CPU-ms": row["cpu_ms"],
        }
        each = row["cpu_ms_by_process"]
        lines.append(line | {name: each.get(name, 0.0) for name in groups if name != "total"})
    return tabulate(lines)


if __name__ == "__main__":
    typer.run(main)
