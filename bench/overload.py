"""Four times the sustainable rate: who is served, who is refused, how soon all is well again."""

import threading
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer

from bench.client import Load, LoadClient, Request, open_client
from bench.measured import Measured
from bench.processes import take_samples, watch_processes
from bench.reporting import RESULTS, Result, say, write_result
from bench.running import Service, SettingOption, open_service, parse_settings
from bench.timeline import count_by_second, percentile_by_time, plot_panels, sample_during
from bench.workload import seed_scopes, unique_searches

RECOVERY_SECONDS = 15.0
NORMAL = 0.9
"""The share of the sustainable rate at which the service counts as recovered."""

RECOVERY_WINDOW = 2
PROBE_PAUSE = 0.05
SEEDS_OF_A_LOAD = 10


def endless_searches(seed: int) -> Iterator[Request]:
    """Questions that never repeat, as many as an open loop may need."""
    for each in count(seed * SEEDS_OF_A_LOAD):
        yield from unique_searches(each)


@dataclass(slots=True)
class Refusals:
    """What single requests beside the load met: every header of a refusal is looked at."""

    retry_after: Counter[str] = field(default_factory=Counter[str])
    milliseconds: list[float] = field(default_factory=list[float])
    accepted: int = 0

    def note(self, answer: httpx.Response) -> None:
        """Keep a refusal's Retry-After and latency."""
        if answer.status_code != 503:
            self.accepted += answer.is_success
            return
        self.retry_after[answer.headers.get("retry-after", "missing")] += 1
        self.milliseconds.append(1000 * answer.elapsed.total_seconds())


@contextmanager
def probe_refusals(url: str) -> Generator[Refusals]:
    """Ask some 20 times a second during the block."""
    refusals, stop = Refusals(), threading.Event()
    requests = endless_searches(11)

    def probe() -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not stop.wait(PROBE_PAUSE):
                request = next(requests)
                headers = {"content-type": "application/json"}
                refusals.note(client.post(request.path, content=request.body, headers=headers))

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    try:
        yield refusals
    finally:
        stop.set()
        thread.join()


def main(
    seconds: Annotated[float, typer.Option(help="How long the overload lasts.")] = 60.0,
    factor: Annotated[float, typer.Option(help="Times the sustainable rate.")] = 4.0,
    callers: Annotated[int, typer.Option(help="Closed loops that find that rate.")] = 64,
    measure: Annotated[float, typer.Option(help="Seconds in which they find it.")] = 20.0,
    setting: SettingOption = None,
) -> None:
    """Measure a service of its own, for about two minutes, with questions that never repeat.

    First closed loops find the sustainable rate; then an open loop sends a multiple of it,
    whatever comes back; then the closed loops run again.
    """
    settings = parse_settings(setting)
    with open_service(None, **settings) as service, open_client() as client:
        seed_scopes(service.url)
        loop = Load(service.url, endless_searches, measure / 2, callers)
        client.run(loop)
        sustainable = client.run(Load(service.url, endless_searches, measure, callers, seed=1))
        say(f"Sustainable: {sustainable.rate:.0f} requests/s, p99 {_p99(sustainable)}")
        rate = factor * sustainable.rate
        say(f"Sending {rate:.0f} requests/s for {seconds:.0f} s")
        result, overload = _overload(service, client, seconds, rate)
        after = client.run(Load(service.url, endless_searches, RECOVERY_SECONDS, callers, seed=3))
    result |= {
        "settings": settings,
        "seconds": seconds,
        "factor": factor,
        "sustainable": sustainable.describe(),
        "recovered_after_seconds": _find_recovery(after, NORMAL * sustainable.rate),
        "after": after.describe(),
    }
    result["lines"]["recovered"] = count_by_second(after)
    result["lines"]["p99"] = percentile_by_time(overload, 99)
    print(_show(result))
    write_result("overload", result)
    draw(result, RESULTS)


def _overload(
    service: Service, client: LoadClient, seconds: float, rate: float
) -> tuple[Result, Measured]:
    with (
        watch_processes(service.pid) as usage,
        sample_during(lambda: _look_at_memory(service.pid), 2.0) as samples,
        probe_refusals(service.url) as refusals,
    ):
        measured = client.run(Load(service.url, endless_searches, seconds, rate=rate, seed=2))
    refused = measured.statuses == 503
    memory = samples.lines.get("MiB", ([0.0], [0.0]))
    result: Result = {
        "offered_per_second": round(rate, 1),
        "accepted": measured.describe(),
        "refused": {
            "count": int(refused.sum()),
            "p50_ms": _percentile(measured, refused, 50),
            "p99_ms": _percentile(measured, refused, 99),
            "seen_by_probe": len(refusals.milliseconds),
            "retry_after_seen": dict(refusals.retry_after),
        },
        "cpu_seconds": {name: round(used, 2) for name, used in usage.cpu_seconds.items()},
        "rss_mib": {"first": memory[1][0], "last": memory[1][-1], "peak": max(memory[1])},
        "lines": {
            "accepted": count_by_second(measured),
            "refused": count_by_second(measured, accepted=False),
            "MiB": memory,
        },
    }
    return result, measured


def draw(result: Result, folder: Path) -> None:
    """Answers, p99 of the accepted, and memory over the seconds."""
    lines = result["lines"]
    across, up = lines["recovered"]
    later = [result["seconds"] + second for second in across]
    panels = {
        "answers/s": {
            "accepted": lines["accepted"],
            "refused": lines["refused"],
            "after it, 64 callers": (later, up),
        },
        "p99 of accepted (ms)": {"p99": lines["p99"]},
        "memory (MiB)": {"all processes": lines["MiB"]},
    }
    title = f"{result['factor']:g} times the sustainable rate"
    plot_panels(folder / "overload.png", title, panels)


def _look_at_memory(pid: int | None) -> dict[str, float]:
    if pid is None:
        return {}
    return {"MiB": round(sum(s.rss_bytes for s in take_samples(pid).values()) / 2**20, 1)}


def _find_recovery(measured: Measured, wanted: float) -> float | None:
    """Seconds until two seconds in a row bring the wanted rate; None if they never do."""
    _, counts = count_by_second(measured)
    for start in range(int(measured.seconds) - RECOVERY_WINDOW + 1):
        if np.mean(counts[start : start + RECOVERY_WINDOW]) >= wanted:
            return float(start)
    return None


def _percentile(measured: Measured, chosen: Any, percentile: float) -> float | None:
    if not chosen.any():
        return None
    return round(1000 * float(np.percentile(measured.latencies[chosen], percentile)), 2)


def _p99(measured: Measured) -> str:
    return f"{measured.milliseconds(99):.0f} ms"


def _show(result: Result) -> str:
    accepted, refused = result["accepted"], result["refused"]
    return "\n".join(
        [
            f"sustainable {result['sustainable']['requests_per_second']} requests/s; "
            f"offered {result['offered_per_second']}",
            f"accepted {accepted['requests_per_second']} requests/s, "
            f"p50 {accepted['p50_ms']} ms, p99 {accepted['p99_ms']} ms",
            f"refused {refused['count']}, p50 {refused['p50_ms']} ms, p99 {refused['p99_ms']} ms, "
            f"Retry-After {refused['retry_after_seen']}",
            f"statuses {accepted['statuses']}, memory {result['rss_mib']} MiB",
            f"back at {NORMAL:.0%} after {result['recovered_after_seconds']} s",
        ]
    )


if __name__ == "__main__":
    typer.run(main)
