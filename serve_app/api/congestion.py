"""How long a newcomer would wait, told from what goes in and out; the clock is the caller's.

By Little's law that is the requests inside over the rate at which they are answered. The rate says
what can be done only while there is enough to do; what was seen in idle times is a lower bound.
"""

from math import exp, inf

WINDOW_SECONDS = 0.1
MEMORY_SECONDS = 1.0
"""How far back the rate is averaged while the service is busy."""

REFUSAL_SECONDS = 0.3
"""How far back the share of refusals is averaged while it grows."""

RELIEF_SECONDS = 2.0
"""The same while it falls: a gap in what comes does not end an overload."""

FORGETTING_SECONDS = 60.0
"""How slowly an old rate loses its weight while there is little to do."""

TRUSTED_SECONDS = 0.2
"""Less busy time than this says nothing about the rate."""

BUSY = 64
"""Requests inside that keep every part at work; so many always get in."""

AT_WORK = 32
"""As many all the time, and what is answered tells what can be: four fifths of it or more."""

UNKNOWN = 512
"""Requests inside that are too many as long as no rate is known."""

STRICTEST = 0.35
"""The share of the budget that is left while most requests are refused."""


class Congestion:
    """Counts in and out, and keeps the rate of answers and the share of refusals.

    A short peak may wait for `budget` seconds. As long as more come than can be served the budget
    shrinks to a third: what is always full brings no more through than what is a third full.
    """

    def __init__(self, budget: float) -> None:
        self.inside = 0
        self.refused_share = 0.0
        self._budget = budget
        self._lag = 0.0
        self._busy_seconds = 0.0
        self._busy_answers = 0.0
        self._window_began = -inf
        self._start_window(0.0)

    def is_full(self, now: float) -> bool:
        """Whether a newcomer would wait for too long."""
        if now - self._window_began >= WINDOW_SECONDS:
            self._close_window(now)
        if self.inside < BUSY:
            return False
        return self.expected_wait() > self._budget * max(STRICTEST, 1.0 - self.refused_share)

    def expected_wait(self) -> float:
        """Seconds until a newcomer is answered; as long as nothing is known, the loop's lag."""
        if self._busy_seconds < TRUSTED_SECONDS:
            return self._lag if self.inside < UNKNOWN else inf
        if not self._busy_answers:
            return inf
        return self._lag + self.inside * self._busy_seconds / self._busy_answers

    def enter(self) -> None:
        """One more is inside."""
        self.inside += 1
        self._entered += 1

    def refuse(self) -> None:
        """One was turned away."""
        self._refused += 1

    def leave(self, now: float) -> None:
        """One was answered, or has left."""
        self.inside -= 1
        self._left += 1
        self._fewest = min(self._fewest, self.inside)
        if now - self._window_began >= WINDOW_SECONDS:
            self._close_window(now)

    def note_lag(self, seconds: float) -> None:
        """One turn of the event loop has taken so long: newcomers wait for that, too, unseen."""
        self._lag += 0.5 * (seconds - self._lag)

    def _close_window(self, now: float) -> None:
        seconds = now - self._window_began
        if seconds == inf:
            self._start_window(now)
            return
        if self._fewest >= AT_WORK or self._exceeds_rate(seconds):
            kept = exp(-seconds / MEMORY_SECONDS)
            self._busy_seconds = kept * self._busy_seconds + seconds
            self._busy_answers = kept * self._busy_answers + self._left
        else:
            kept = exp(-seconds / FORGETTING_SECONDS)
            self._busy_seconds *= kept
            self._busy_answers *= kept
        asked = self._entered + self._refused
        share = self._refused / asked if asked else 0.0
        memory = REFUSAL_SECONDS if share > self.refused_share else RELIEF_SECONDS
        weight = 1.0 - exp(-seconds / memory)
        self.refused_share += weight * (share - self.refused_share)
        self._start_window(now)

    def _exceeds_rate(self, seconds: float) -> bool:
        """Whether more was answered than the rate says, without the service being busy."""
        return self._left * self._busy_seconds > self._busy_answers * seconds

    def _start_window(self, now: float) -> None:
        if now:
            self._window_began = now
        self._fewest = self.inside
        self._entered = self._refused = self._left = 0
