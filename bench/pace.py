"""How fast the machine is just now: shared ones change by a third within minutes."""

import time
from statistics import median

REPEATS = 7
STEPS = 40_000


def measure_pace() -> float:
    """Milliseconds that a fixed piece of Python takes, the median of some: less is faster.

    To be asked while nothing else runs. It takes about 20 ms.
    """
    return round(1000 * median(_time_work() for _ in range(REPEATS)), 3)


def _time_work() -> float:
    started = time.perf_counter()
    total = 0
    for step in range(STEPS):
        total += step * step
    assert total == (STEPS - 1) * STEPS * (2 * STEPS - 1) // 6
    return time.perf_counter() - started
