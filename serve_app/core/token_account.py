"""What one process holds of one limit: a block of leased tokens, and what was last heard of it."""

from hashlib import blake2b
from math import ceil, inf

from serve_app.core.rate_limits import RateLimit, Standing
from serve_app.core.token_window import LONGEST_LEASE_SLOTS, SLOTS, Settlement
from serve_app.core.token_window import TokenGrant as Grant
from serve_app.core.token_window import TokenRequest as Request

SUBJECT_BYTES = 16

CLOSED = -1
"""The slot of no block, and of one that is never to be settled."""

SILENT_SPANS = 50
LONGEST_SILENCE = 1.0
"""Seconds after a refusal until the store is asked again: others may have given tokens back."""


class TokenAccount:
    """Spends tokens one after another; every method is told `now`, in seconds of one clock."""

    __slots__ = (
        "_ends",
        "_free",
        "_idle_since",
        "_is_dated_ahead",
        "_leased",
        "_refused_cost",
        "_refused_until",
        "_silent",
        "_slot",
        "_spent",
        "_tokens",
        "limit",
        "name",
        "subject",
        "tenant_id",
    )

    def __init__(self, tenant_id: int, name: str, whose: str, limit: RateLimit) -> None:
        self.tenant_id = tenant_id
        self.name = name
        self.limit = limit
        # Another span counts in slots of another width, so it is another subject.
        text = f"{name}\0{limit.seconds}\0{whose}".encode()
        self.subject = blake2b(text, digest_size=SUBJECT_BYTES).digest()
        self._free = limit.count
        self._slot = CLOSED
        self._is_dated_ahead = False
        self._tokens = self._spent = 0
        self._ends = self._idle_since = self._leased = -inf
        self._refused_until = self._silent = -inf
        self._refused_cost = 0

    def holds(self, cost: int, now: float) -> bool:
        """Whether `cost` tokens are there to be spent."""
        return self._tokens >= cost and now < self._ends

    def spend(self, cost: int, now: float) -> None:
        """Take what is there; the block may have ended since it was granted for this."""
        self._tokens -= cost
        self._spent += cost
        self._idle_since = now

    def give_back(self, cost: int) -> None:
        """Undo a spending: another limit has refused the call. Of a closed block nothing is."""
        if self._slot != CLOSED:
            self._tokens += cost
            self._spent -= cost

    def is_refused(self, cost: int, now: float) -> bool:
        """Whether the store has lately refused so much, or less."""
        return cost >= self._refused_cost and now < self._silent

    def find_wait(self, now: float) -> float:
        """Seconds until what was refused last will be granted, as far as the store knew."""
        return max(0.0, self._refused_until - now)

    def ask(self, costs: list[int], now: float) -> Request:
        """Close the block, and ask for what waits and for what the pace so far lets expect."""
        due = sum(costs)
        ahead = self._expect(now) if costs else 0
        settlement = self._close(now)
        least = min(costs, default=0)
        return Request(self.tenant_id, self.subject, self.limit, least, due, ahead, settlement)

    def accept(self, grant: Grant, request: Request, asked_at: float) -> None:
        """Open the block that was granted; it may be spent `lifetime` seconds from the asking."""
        self._free = grant.free
        if grant.granted:
            self._slot, self._tokens, self._spent = grant.slot, grant.granted, 0
            self._is_dated_ahead = request.ahead > 0
            self._leased, self._ends = asked_at, asked_at + grant.lifetime
        elif request.least:
            self._refused_cost = request.least
            self._refused_until = asked_at + grant.wait
            silence = min(grant.wait, self.limit.seconds / SILENT_SPANS, LONGEST_SILENCE)
            self._silent = asked_at + silence

    @property
    def tokens(self) -> int:
        """What the block still holds, ended or not."""
        return self._tokens

    def is_due_for_settlement(self, now: float) -> bool:
        """Whether a block has ended of which the store should hear."""
        return now >= self._ends and self._is_owing()

    def is_idle(self, now: float) -> bool:
        """Whether nothing is known here that the store does not know."""
        last = max(self._idle_since, self._refused_until - self.limit.seconds)
        return not self._is_owing() and now >= last + self.limit.seconds

    def tell(self, cost: int, now: float) -> Standing:
        """What is free in the store as last heard and what is held here, and the seconds to wait.

        Those are until such a call can succeed where it is refused, else until all is free again.
        """
        held = self._tokens if now < self._ends else 0
        seconds = self.limit.seconds + min(self._idle_since - now, 0.0)
        if self.is_refused(cost, now):
            seconds = self.find_wait(now)
        return Standing(self.name, self.limit, self._free + held, ceil(max(seconds, 0.0)))

    def _expect(self, now: float) -> int:
        """Tokens that the longest block would see spent at the pace of the last one."""
        if not self._spent or now <= self._leased:
            return 0
        longest = self.limit.seconds * LONGEST_LEASE_SLOTS / SLOTS
        return min(self.limit.count, int(self._spent * longest / (now - self._leased)))

    def _is_owing(self) -> bool:
        """Whether tokens are left, or count longer than since they were spent."""
        return self._slot != CLOSED and (self._tokens > 0 or self._is_dated_ahead)

    def _close(self, now: float) -> Settlement | None:
        if not self._is_owing():
            return None
        idle = max(0.0, now - self._idle_since) if self._spent else 0.0
        settlement = Settlement(self._slot, self._spent, self._tokens, idle)
        self._slot, self._tokens, self._is_dated_ahead = CLOSED, 0, False
        return settlement
