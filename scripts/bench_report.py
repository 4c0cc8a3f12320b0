"""Run Locust's two runs headless, and write what they measured: report.md, results.json, plots."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import matplotlib.pyplot as plt
import typer

ROOT = Path(__file__).parents[1]
RUNS: dict[str, list[str]] = {"realistic": [], "saturation": ["--saturation"]}
COLUMNS = ["Requests/s", "50%", "95%", "99%", "Request Count", "Failure Count"]


def main(
    host: Annotated[str, typer.Option(help="The running service.")] = "http://127.0.0.1:8000",
    seconds: Annotated[int, typer.Option(help="Length of each run.")] = 60,
    users: Annotated[int, typer.Option(help="Users of the realistic run.")] = 50,
    saturating_users: Annotated[int, typer.Option(help="Users of the other.")] = 500,
    name: Annotated[str, typer.Option(help="Folder under bench/results.")] = "latest",
    unique_texts: Annotated[bool, typer.Option(help="Never send a text twice.")] = False,
) -> None:
    """Load a running service twice, each time seeded and with all users there, and report."""
    folder = ROOT / "bench" / "results" / name
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[dict[str, str]]] = {}
    lines = [f"# Load test\n\n{os.cpu_count()} cores, shared by service and load generator.\n"]
    for run, options in RUNS.items():
        count = users if run == "realistic" else saturating_users
        extra = [*options, *(["--unique-texts"] if unique_texts else [])]
        command = _command(host, seconds, count, folder / run) + extra
        _run_locust(command)
        results[run] = _read(folder / f"{run}_stats.csv")
        _plot(_read(folder / f"{run}_stats_history.csv"), folder / f"{run}.png", run)
        title = f"## {run}: {count} users, {seconds} s (latency in ms)"
        lines += [title, "", *_tabulate(results[run]), "", _describe(host, count, seconds, extra)]
        lines += ["", f"![{run}]({run}.png)", ""]
    (folder / "report.md").write_text("\n".join(lines), encoding="utf-8")
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _command(host: str, seconds: int, users: int, prefix: Path) -> list[str]:
    options = ["--headless", "--only-summary", "--csv-full-history", "--host", host]
    load = ["-u", str(users), "-r", str(max(1, users // 5)), "--measure", str(seconds)]
    script = str(ROOT / "scripts" / "load_test.py")
    return [sys.executable, "-m", "locust", "-f", script, *options, *load, "--csv", str(prefix)]


def _run_locust(command: list[str]) -> None:
    # Locust exits with 1 when a request failed; failures belong in the report.
    if (status := subprocess.run(command, check=False).returncode) not in {0, 1}:
        sys.exit(f"the load test ended with status {status}")


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        sys.exit(f"{path.name} was not written: see what Locust said above")
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _tabulate(rows: list[dict[str, str]]) -> list[str]:
    head = f"| endpoint | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}"
    table = [
        f"| {row['Type']} {row['Name']} | {' | '.join(row[column][:9] for column in COLUMNS)} |"
        for row in rows
    ]
    return [head, *table]


def _describe(host: str, users: int, seconds: int, extra: list[str]) -> str:
    """The command of one run, for whoever wants to repeat it."""
    options = " ".join(["--headless", "-u", str(users), "--measure", str(seconds), *extra])
    return f"`locust -f scripts/load_test.py --host {host} {options}`"


def _plot(rows: list[dict[str, str]], path: Path, title: str) -> None:
    rows = [row for row in rows if row["Name"] == "Aggregated" and row["50%"] != "N/A"]
    if not rows:
        sys.exit(f"the {title} run measured nothing: let it run longer")
    start = int(rows[0]["Timestamp"])
    moments = [int(row["Timestamp"]) - start for row in rows]
    figure, (latency, throughput) = plt.subplots(2, sharex=True, figsize=(8, 6))
    for column in ("50%", "95%", "99%"):
        latency.plot(moments, [float(row[column]) for row in rows], label=column)
    latency.set(title=title, ylabel="latency (ms)")
    latency.legend()
    throughput.plot(moments, [float(row["Requests/s"]) for row in rows])
    throughput.set(xlabel="seconds", ylabel="requests/s")
    figure.savefig(path, dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    typer.run(main)
