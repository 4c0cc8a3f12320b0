"""How many cores this process may use, in a container fewer than there are, and what runs."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")

LOAD = Path("/proc/loadavg")


def count_usable_cores(cgroup: Path = CGROUP) -> int:
    """The least of the affinity mask and the quota of the control group, at least 1."""
    affinity = len(os.sched_getaffinity(0))
    quota = _read_quota(cgroup)
    return affinity if quota is None else max(1, min(affinity, math.ceil(quota)))


def count_running_threads(load: Path = LOAD) -> int:
    """Threads of the whole machine that run or want to, the caller's among them; 0 if unknown."""
    try:
        return int(load.read_text().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
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
