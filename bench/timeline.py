"""What happens over time: samples of a running service, answers by the second, stacked plots."""

import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.measured import Floats, Measured
from bench.reporting import say

Line = tuple[Sequence[float], Sequence[float]]
"""Moments in seconds, and values."""


@dataclass(slots=True)
class Samples:
    """Values by name, each with the moment of its sample in seconds since the start."""

    began: float = field(default_factory=time.monotonic)
    lines: dict[str, tuple[list[float], list[float]]] = field(
        default_factory=dict[str, tuple[list[float], list[float]]]
    )

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def add(self, values: Mapping[str, float]) -> None:
        """Keep what is so now."""
        for name, value in values.items():
            moments, kept = self.lines.setdefault(name, ([], []))
            moments.append(round(self.elapsed, 2))
            kept.append(value)


@contextmanager
def sample_during(look: Callable[[], Mapping[str, float]], seconds: float) -> Generator[Samples]:
    """Look every so many seconds while the block runs; a look that fails is told and left out."""
    samples = Samples()
    stop = threading.Event()

    def repeat() -> None:
        while not stop.wait(seconds):
            try:
                samples.add(look())
            except Exception as error:
                say(f"a sample failed: {type(error).__name__}: {error}")

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def count_by_second(measured: Measured, accepted: bool = True) -> Line:
    """Answers (2xx, or all others) in each second after the load's start."""
    chosen = measured.succeeded if accepted else ~measured.succeeded
    moments = (measured.due + measured.latencies)[chosen]
    counts = np.bincount(moments.astype(np.int64), minlength=int(measured.seconds))
    return list(range(len(counts))), counts.tolist()


def percentile_by_time(measured: Measured, percentile: float, step: float = 1.0) -> Line:
    """A percentile of the 2xx latencies in milliseconds, by the moment they were due."""
    due, latencies = measured.due[measured.succeeded], measured.latencies[measured.succeeded]
    bins = (due / step).astype(np.int64)
    found = np.unique(bins)
    values = [1000 * float(np.percentile(latencies[bins == each], percentile)) for each in found]
    return (found * step).tolist(), values


def join_measured(parts: Sequence[Measured], starts: Sequence[float]) -> Measured:
    """Loads that ran one after another as one; `starts` are seconds on the common clock."""
    joined: list[Floats] = [part.due + start for part, start in zip(parts, starts, strict=True)]
    return Measured(
        np.concatenate(joined),
        np.concatenate([part.latencies for part in parts]),
        np.concatenate([part.statuses for part in parts]),
        starts[-1] + parts[-1].seconds,
        sum(part.lost for part in parts),
    )


def plot_panels(path: Path, title: str, panels: Mapping[str, Mapping[str, Line]]) -> None:
    """Write a PNG of panels above one another, with seconds across; the key names the y axis."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, planes = plt.subplots(len(panels), sharex=True, figsize=(8, 2.2 * len(panels)))
    every: list[Any] = list(np.atleast_1d(planes))
    for plane, (label, lines) in zip(every, panels.items(), strict=True):
        for name, (across, up) in lines.items():
            plane.plot(across, up, label=name)
        plane.set_ylabel(label)
        plane.set_ylim(bottom=0)
        plane.grid(alpha=0.3)
        plane.legend(loc="upper right", fontsize="small")
    every[0].set_title(title)
    every[-1].set_xlabel("seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)
