"""How many cores this process may use, in a container fewer than there are, and how many idle."""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")

STAT = Path("/proc/stat")

LOOK_SECONDS = 0.5
"""Between two looks: each lets other threads take Python's lock, which may not come back soon."""

TICKS = os.sysconf("SC_CLK_TCK")


def count_usable_cores(cgroup: Path = CGROUP) -> int:
    """The least of the affinity mask and the quota of the control group, at least 1."""
    affinity = len(os.sched_getaffinity(0))
    quota = _read_quota(cgroup)
    return affinity if quota is None else max(1, min(affinity, math.ceil(quota)))


class IdleCores:
    """How many cores of the whole machine had nothing to do between the last two looks."""

    def __init__(self, stat: Path = STAT, clock: Callable[[], float] = time.monotonic) -> None:
        self._stat, self._clock = stat, clock
        self._looked, self._ticks = clock(), _read_idle_ticks(stat)
        self._idle = 0.0

    def read(self) -> float:
        """Cores, on average; 0.0 before the second look, and where nobody tells."""
        now = self._clock()
        passed = now - self._looked
        if passed >= LOOK_SECONDS:
            ticks = _read_idle_ticks(self._stat)
            self._idle = (ticks - self._ticks) / TICKS / passed if self._ticks else 0.0
            self._looked, self._ticks = now, ticks
        return self._idle


def _read_idle_ticks(stat: Path) -> int:
    """Ticks of all cores without work, or waiting for a disk, since the start; 0 if unknown."""
    try:
        idle, waiting = stat.read_text().split(maxsplit=6)[4:6]
        return int(idle) + int(waiting)
    except (OSError, ValueError):
        return 0


def _read_quota(cgroup: Path) -> float | None:
    """Cores granted by cgroup v2 (`cpu.max`) or v1 (`cpu.cfs_*`); None where nothing limits."""
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text().split()
        else:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
    except OSError:
        return None
    if quota == "max" or int(quota) <= 0:
        return None
    return int(quota) / int(period)
