"""The rule against simulated services: a clock that the test moves, answers in order of arrival."""

import heapq
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from serve_app.api.congestion import BUSY, Congestion

BUDGET = 0.9


@dataclass
class Service:
    """One server; `rate` answers a second. Every event is a moment and what happens then."""

    rate: float
    congestion: Congestion = field(default_factory=lambda: Congestion(BUDGET))
    now: float = 1000.0
    waits: list[tuple[float, float]] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    queue: deque[float] = field(default_factory=deque)
    free_at: float = 0.0

    def run(self, seconds: float, offered: float) -> None:
        """Requests come at a fixed rate, whatever becomes of them."""
        end, arrival = self.now + seconds, self.now
        while min(arrival, self._next_answer()) < end:
            if self._next_answer() <= arrival:
                self._answer()
            else:
                self.now = arrival
                arrival += 1 / offered
                self._knock()
        self.now = end

    def run_closed(self, seconds: float, callers: int, pause: float = 0.02) -> None:
        """Each caller asks again a moment after its answer."""
        end = self.now + seconds
        knocks = [self.now + number * 1e-4 for number in range(callers)]
        while min(knocks[0] if knocks else end, self._next_answer()) < end:
            if not knocks or self._next_answer() <= knocks[0]:
                self._answer()
                heapq.heappush(knocks, self.now + 0.001)
            else:
                self.now = heapq.heappop(knocks)
                if not self._knock():
                    heapq.heappush(knocks, self.now + pause)
        self.now = end

    def drain(self) -> None:
        """Answer all that wait, with nobody coming."""
        while self.queue:
            self._answer()

    def p99_since(self, moment: float) -> float:
        return float(np.percentile([wait for at, wait in self.waits if at >= moment], 99))

    def answers_between(self, start: float, end: float) -> int:
        return sum(start <= at < end for at, _ in self.waits)

    def _knock(self) -> bool:
        if self.congestion.is_full(self.now):
            self.congestion.refuse()
            self.refusals.append(self.now)
            return False
        self.congestion.enter()
        if not self.queue:
            self.free_at = max(self.now, self.free_at) + 1 / self.rate
        self.queue.append(self.now)
        return True

    def _next_answer(self) -> float:
        return self.free_at if self.queue else float("inf")

    def _answer(self) -> None:
        self.now = self.free_at
        self.waits.append((self.now, self.now - self.queue.popleft()))
        self.congestion.leave(self.now)
        if self.queue:
            self.free_at = self.now + 1 / self.rate


def test_four_times_the_rate_keeps_accepted_requests_short_and_the_service_at_work() -> None:
    service = Service(rate=550)
    start = service.now
    service.run(60, offered=2200)
    assert service.p99_since(start) < 1.0
    assert service.answers_between(start, service.now) > 0.97 * 550 * 60


def test_a_service_that_slows_down_under_overload_is_followed() -> None:
    service = Service(rate=600)
    start = service.now
    service.run(20, offered=2400)
    service.rate = 250
    service.run(20, offered=2400)
    service.rate = 600
    service.run(20, offered=2400)
    assert service.p99_since(start) < 1.1
    assert service.answers_between(service.now - 10, service.now) > 0.97 * 6000


def test_after_an_overload_nobody_is_refused_within_two_seconds() -> None:
    service = Service(rate=550)
    service.run(30, offered=2200)
    over = service.now
    service.run(10, offered=500)
    assert not [moment for moment in service.refusals if moment > over + 2]
    assert service.answers_between(service.now - 5, service.now) > 0.98 * 2500


def test_a_gap_in_an_overload_lets_no_crowd_in() -> None:
    service = Service(rate=300)
    service.run(10, offered=1200)
    service.drain()
    service.now += 0.3
    gap = service.now
    service.run(2, offered=1200)
    assert service.p99_since(gap) < 0.5


def test_a_flood_after_busy_times_lets_in_what_can_be_answered_in_time() -> None:
    service = Service(rate=400)
    # Never BUSY inside: each caller is away for a moment.
    service.run_closed(5, callers=BUSY)
    flood = service.now
    service.run(2, offered=1600)
    assert service.p99_since(flood) < 1.1 * BUDGET


def test_five_hundred_callers_who_wait_their_turn_are_all_served() -> None:
    service = Service(rate=580)
    service.run_closed(20, callers=500)
    assert service.refusals == []


def test_a_burst_after_silence_gets_in() -> None:
    service = Service(rate=550)
    service.run_closed(5, callers=64)
    service.drain()
    service.now += 600
    service.run_closed(5, callers=450)
    assert service.refusals == []


def test_a_service_that_answers_nothing_lets_few_in_and_heals() -> None:
    service = Service(rate=500)
    service.run(5, offered=300)
    service.rate = 1e-3
    service.run(30, offered=300)
    assert service.congestion.inside < 500
    assert service.congestion.is_full(service.now)
    service.free_at, service.rate = service.now, 500
    service.run(3, offered=300)
    healed = service.now
    service.run(5, offered=300)
    assert not [moment for moment in service.refusals if moment > healed]


def test_a_loop_that_lags_is_full_with_fewer_inside() -> None:
    service = Service(rate=400)
    service.run_closed(3, callers=200)
    assert not service.congestion.is_full(service.now)
    for _ in range(10):
        service.congestion.note_lag(1.0)
    assert service.congestion.is_full(service.now)


def test_the_first_few_always_get_in() -> None:
    congestion = Congestion(BUDGET)
    for _ in range(BUSY):
        congestion.note_lag(100.0)
        assert not congestion.is_full(5.0)
        congestion.enter()
    assert congestion.is_full(5.0)
