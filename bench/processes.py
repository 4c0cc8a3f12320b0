"""CPU seconds and memory of a service by process group: what a request costs, and where."""

import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

SAMPLE_SECONDS = 1.0
REPLICA = re.compile(r"ray::ServeReplica:[^:\s]+:(\w+)")
GROUPS = {
    "haproxy": "HAProxy",
    "postgres": "Postgres",
    "ServeController": "Ray controller",
    "raylet": "Ray",
    "gcs_server": "Ray",
    "ray::": "Ray",
    "ray/": "Ray",
    "deployments.local": "Ray",
    "bench.local": "Ray",
    "serve_app": "up",
    "fleetmem": "up",
}
"""The group of the first word that stands in a command line; the program's name goes before."""

ProcessKey = tuple[int, float]
"""Process id and time of start: a process id alone may be given out again."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment."""

    group: str
    cpu_seconds: float
    rss_bytes: int


@dataclass(slots=True)
class Usage:
    """What the processes used while they were watched; filled when the watch ends."""

    cpu_seconds: dict[str, float] = field(default_factory=dict[str, float])
    peak_rss_bytes: dict[str, int] = field(default_factory=dict[str, int])
    ended: int = 0
    neighbour_cores: float = 0.0
    """Cores that neither we nor what we started have used: a quiet machine has hardly any."""

    def milliseconds_each(self, requests: int) -> dict[str, float]:
        """CPU-ms per request by group, dearest first, and their sum as `total`."""
        each = {
            group: round(1000 * seconds / max(requests, 1), 3)
            for group, seconds in sorted(self.cpu_seconds.items(), key=lambda item: -item[1])
        }
        return each | {"total": round(1000 * sum(self.cpu_seconds.values()) / max(requests, 1), 3)}


def name_group(command: str, program: str = "") -> str:
    """The deployment of a replica, or one of GROUPS, or the program itself."""
    if found := REPLICA.search(command):
        return found.group(1)
    for text in (program, command):
        for word, group in GROUPS.items():
            if word in text:
                return group
    return program or "unknown"


def take_samples(pid: int) -> dict[ProcessKey, Sample]:
    """Every process from `pid` down, as it is now; `pid` must live."""
    root = psutil.Process(pid)
    samples: dict[ProcessKey, Sample] = {}
    for process in [root, *root.children(recursive=True)]:
        try:
            with process.oneshot():
                times = process.cpu_times()
                group = name_group(" ".join(process.cmdline()), process.name())
                seconds = times.user + times.system
                key = (process.pid, process.create_time())
                samples[key] = Sample(group, seconds, process.memory_info().rss)
        except psutil.NoSuchProcess:
            # It ended between the listing and the look: what it used stays in older samples.
            continue
    return samples


@contextmanager
def watch_processes(pid: int | None) -> Generator[Usage]:
    """Measure the block; nothing is measured where `pid` is None.

    A process that starts meanwhile counts from its birth. One that ends counts up to the last
    look at it, at most a second before.
    """
    usage = Usage()
    if pid is None:
        yield usage
        return
    before, machine = take_samples(pid), _MachineUsage()
    latest = dict(before)
    peaks = Counter[str]()
    stop = threading.Event()

    def look() -> None:
        now = take_samples(pid)
        latest.update(now)
        for group, rss in _sum_rss(now).items():
            peaks[group] = max(peaks[group], rss)

    def repeat() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            look()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        stop.set()
        thread.join()
        if psutil.pid_exists(pid):
            look()
        _fill(usage, before, latest, peaks)
        usage.neighbour_cores = machine.read_neighbours(usage)


class _MachineUsage:
    """CPU of the whole machine from here on, and that of ourselves with our children."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._busy, self._ours = _read_busy(), _read_ours()

    def read_neighbours(self, service: Usage) -> float:
        busy, ours = _read_busy() - self._busy, _read_ours() - self._ours
        elsewhere = busy - ours - sum(service.cpu_seconds.values())
        return round(max(0.0, elsewhere) / (time.monotonic() - self._started), 2)


def _read_busy() -> float:
    times = psutil.cpu_times()
    return times.user + times.nice + times.system


def _read_ours() -> float:
    """CPU seconds of this process and its living children: the client, not the service."""
    me = psutil.Process()
    total = 0.0
    for process in [me, *(child for child in me.children() if "multiproc" in _command(child))]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def _fill(
    usage: Usage,
    before: dict[ProcessKey, Sample],
    latest: dict[ProcessKey, Sample],
    peaks: Counter[str],
) -> None:
    seconds: defaultdict[str, float] = defaultdict(float)
    for key, sample in latest.items():
        # A replica bears its deployment's name some moments after its process has started.
        earlier = before[key].cpu_seconds if key in before else 0.0
        seconds[sample.group] += sample.cpu_seconds - earlier
    usage.cpu_seconds.update(seconds)
    usage.peak_rss_bytes.update(peaks)
    usage.ended = sum(not psutil.pid_exists(pid) for pid, _ in latest)


def _sum_rss(samples: dict[ProcessKey, Sample]) -> Counter[str]:
    total = Counter[str]()
    for sample in samples.values():
        total[sample.group] += sample.rss_bytes
    return total
