"""From one caller to 64 and back: how Embedding scales out and in by its texts in flight."""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Annotated

import httpx
import psutil
import typer
from prometheus_client.parser import text_string_to_metric_families

from bench.client import Load, Request, open_client
from bench.measured import Measured
from bench.processes import REPLICA
from bench.reporting import RESULTS, Result, say, write_result
from bench.running import Service, SettingOption, open_service, parse_settings
from bench.timeline import (
    Samples,
    count_by_second,
    join_measured,
    percentile_by_time,
    plot_panels,
    sample_during,
)
from bench.workload import seed_scopes, unique_searches

SAMPLE_SECONDS = 1.0
SCALE_IN_SECONDS = 240.0
BIN_SECONDS = 3.0
IN_FLIGHT = "fleetmem_embedding_texts_in_flight"


def endless_searches(seed: int) -> Iterator[Request]:
    """Questions that never repeat, as many as a phase may need."""
    for each in count(seed * 10):
        yield from unique_searches(each)


def main(
    callers: Annotated[int, typer.Option(help="Closed loops of the step.")] = 64,
    before: Annotated[float, typer.Option(help="Seconds with one caller before it.")] = 15.0,
    during: Annotated[float, typer.Option(help="Seconds of the step.")] = 60.0,
    after: Annotated[
        float, typer.Option(help="Seconds with one caller after it; scaling in waits for 120.")
    ] = 150.0,
    setting: SettingOption = None,
) -> None:
    """Measure a service of its own, with questions that never repeat; some four minutes."""
    settings = parse_settings(setting)
    phases = [(1, before), (callers, during), (1, after)]
    parts: list[Measured] = []
    starts: list[float] = []
    with open_service(None, **settings) as service, open_client() as client:
        seed_scopes(service.url)
        _wait_for_one_replica(service)
        with sample_during(lambda: _look(service), SAMPLE_SECONDS) as samples:
            for number, (many, seconds) in enumerate(phases):
                say(f"{many} callers for {seconds:.0f} s")
                starts.append(samples.elapsed)
                load = Load(service.url, endless_searches, seconds, many, seed=number)
                parts.append(client.run(load))
                say(f"  {parts[-1].rate:.0f} requests/s, {parts[-1].errors} errors")
    measured = join_measured(parts, starts)
    result = describe(measured, parts, samples)
    result |= {"settings": settings, "callers": callers}
    steps = [*starts, measured.seconds]
    across = [moment for start in steps for moment in (start, start)][1:-1]
    up = [float(many) for many, _ in phases for _ in range(2)]
    result["lines"]["callers"] = (across, up)
    write_result("step", result)
    draw(result, RESULTS)


def describe(measured: Measured, parts: list[Measured], samples: Samples) -> Result:
    """Replicas at the start, at most and at the end, errors, and every line of the plot."""
    moments, replicas = samples.lines.get("replicas", ([], []))
    most = max(replicas, default=0)
    scaled_out = next((t for t, n in zip(moments, replicas, strict=True) if n == most), None)
    return {
        "replicas": {
            "first": replicas[0] if replicas else None,
            "most": most,
            "last": replicas[-1] if replicas else None,
            "most_since_seconds": scaled_out,
        },
        "errors": measured.errors,
        "phases": [part.describe() for part in parts],
        "lines": {
            **samples.lines,
            "answers": count_by_second(measured),
            "p50": percentile_by_time(measured, 50, BIN_SECONDS),
            "p99": percentile_by_time(measured, 99, BIN_SECONDS),
        },
    }


def draw(result: Result, folder: Path) -> None:
    """Callers, replicas, texts in flight and latencies over the seconds."""
    lines = result["lines"]
    panels = {
        "callers": {"callers": lines["callers"]},
        "replicas": {"of Embedding": lines["replicas"]},
        "texts in flight": {"sum of all replicas": lines["texts"]},
        "answers/s": {"2xx": lines["answers"]},
        "latency (ms)": {"p50": lines["p50"], "p99": lines["p99"]},
    }
    plot_panels(folder / "step.png", "Embedding under a step of load", panels)


def _wait_for_one_replica(service: Service) -> None:
    """Seeding scales out, too: the step begins where nothing is left of that."""
    say("Waiting until one replica is left")
    deadline = time.monotonic() + SCALE_IN_SECONDS
    while _count_replicas(service.pid) > 1 and time.monotonic() < deadline:
        time.sleep(SAMPLE_SECONDS)


def _look(service: Service) -> dict[str, float]:
    text = httpx.get(f"{service.url}/metrics", timeout=10).text
    texts = sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == IN_FLIGHT
    )
    return {"texts": texts, "replicas": float(_count_replicas(service.pid))}


def _count_replicas(pid: int | None) -> int:
    """Processes of Embedding: one that still loads its model is among them."""
    found = 0
    for process in psutil.Process(pid).children(recursive=True) if pid else []:
        try:
            match = REPLICA.search(" ".join(process.cmdline()))
        except psutil.NoSuchProcess:
            continue
        found += match is not None and match.group(1) == "Embedding"
    return found


if __name__ == "__main__":
    typer.run(main)
