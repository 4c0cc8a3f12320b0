"""The sliding window of one limit, counted in slots, and the leasing of tokens out of it.

A token is the right to one call. Whoever serves leases a block of tokens for a short time, spends
them without asking again, and settles what is left. A leased token counts in the slot in which the
lease ends, and when it is settled in the slot in which it was spent. It is free again when the
whole slot lies a window back. So in any span of the window's length, wherever it begins and
whoever leased, no more than the limit is spent; at most a hundredth comes back late.
"""

from dataclasses import dataclass
from math import floor

from serve_app.core.rate_limits import RateLimit

SLOTS = 100
"""Of one window."""

LONGEST_LEASE_SLOTS = 12
"""How far ahead a block may last while the whole window is free; less as it fills."""

AHEAD_SHARE = 8
"""A block holds no more than this part of what is free beyond what is due at once."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of an earlier block; `idle` seconds have passed since the last was spent."""

    slot: int
    spent: int
    unspent: int
    idle: float


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Asks for `due` tokens and up to `ahead` more; with fewer than `least` free, for none."""

    tenant_id: int
    subject: bytes
    limit: RateLimit
    least: int
    due: int
    ahead: int
    settlement: Settlement | None = None


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """`granted` tokens to spend within `lifetime` seconds of the request; `free` are left.

    Where none was granted, `wait` seconds are left until `least` tokens are free.
    """

    granted: int
    free: int
    lifetime: float
    slot: int
    wait: float


class TokenWindow:
    """One window in memory; Postgres and Redis hold the same, told equal by their contract."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._width = limit.seconds / SLOTS
        self._counts: dict[int, int] = {}

    def lease(self, request: TokenRequest, now: float) -> TokenGrant:
        """Settle, then grant what is free; `now` in seconds of any clock that all share."""
        current = floor(now / self._width)
        self._forget(current - SLOTS)
        if request.settlement:
            self._settle(request.settlement, current - SLOTS, now)
        free = max(0, self.limit.count - sum(self._counts.values()))
        if free < request.least:
            return TokenGrant(0, free, 0.0, current, self._find_wait(request.least - free, now))
        granted = min(free, request.due + min(request.ahead, free // AHEAD_SHARE))
        slot = current
        if request.ahead:
            slot += LONGEST_LEASE_SLOTS * free // self.limit.count
        if granted:
            self._counts[slot] = self._counts.get(slot, 0) + granted
        return TokenGrant(granted, free - granted, (slot + 1) * self._width - now, slot, 0.0)

    def _forget(self, first: int) -> None:
        """Drop the slots before `first`."""
        self._counts = {slot: count for slot, count in self._counts.items() if slot >= first}

    def _settle(self, settlement: Settlement, first: int, now: float) -> None:
        """Count the spent ones when they were spent, and the others no more."""
        held = self._counts.pop(settlement.slot, 0)
        left = held - settlement.spent - settlement.unspent
        if left > 0:
            self._counts[settlement.slot] = left
        slot = min(settlement.slot, floor((now - settlement.idle) / self._width))
        if held and settlement.spent and slot >= first:
            self._counts[slot] = self._counts.get(slot, 0) + settlement.spent

    def _find_wait(self, missing: int, now: float) -> float:
        """Seconds until `missing` tokens more are free; a whole window when they never are."""
        for slot in sorted(self._counts):
            missing -= self._counts[slot]
            if missing <= 0:
                return (slot + 1 + SLOTS) * self._width - now
        return self.limit.seconds
