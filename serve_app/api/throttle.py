"""How many failed tries an address has left; the clock is the caller's, the memory bounded."""

from collections import OrderedDict
from math import ceil

KEPT = 10_000


class Throttle:
    """So many tries a minute for each name, `burst` of them at once (GCRA, one number a name)."""

    def __init__(self, per_minute: float, burst: int) -> None:
        self._interval = 60.0 / per_minute
        self._slack = self._interval * burst
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, name: str, now: float) -> int:
        """Take one try; 0 when it was there, otherwise the seconds until the next one is."""
        wait = self.wait(name, now)
        if not wait:
            self._full_at[name] = max(self._full_at.pop(name, now), now) + self._interval
            while len(self._full_at) > KEPT:
                self._full_at.popitem(last=False)
        return wait

    def wait(self, name: str, now: float) -> int:
        """Seconds until a try is there, 0 when one is."""
        excess = self._full_at.get(name, now) - now + self._interval - self._slack
        return max(ceil(excess - 1e-9), 0)
