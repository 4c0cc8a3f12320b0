"""Which texts run together: pure decisions over what is waiting."""

from asyncio import Future
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from serve_app.core.errors import FleetmemError
from serve_app.core.memory import Vector
from serve_app.embedding.engine import TokenIds

WINDOW = 256
"""Texts that are taken from the queue and sorted together."""


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """One text that waits, and the future of its outcome."""

    token_ids: TokenIds
    answer: Future[Vector | FleetmemError]


def plan_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices of texts in batches, shortest first, each of at most `budget` padded tokens.

    Padded tokens are the longest length times the count; a text above the budget runs alone.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Sorted, so the newcomer is the longest.
        if batches and lengths[index] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


class Lane:
    """Texts of one sort in order of arrival, handed out in batches."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._waiting: deque[Ticket] = deque()
        self._planned: deque[list[Ticket]] = deque()

    def put(self, tickets: Sequence[Ticket]) -> None:
        """Queue texts behind those that wait."""
        self._waiting.extend(tickets)

    def take_batch(self) -> list[Ticket]:
        """The texts to run next, none whose caller has left; empty when nothing waits."""
        while self._planned or self._waiting:
            if not self._planned:
                self._plan_window()
                continue
            batch = [ticket for ticket in self._planned.popleft() if not ticket.answer.done()]
            if batch:
                return batch
        return []

    def take_all(self) -> list[Ticket]:
        """Everything that waits."""
        tickets = [ticket for batch in self._planned for ticket in batch]
        tickets.extend(self._waiting)
        self._planned.clear()
        self._waiting.clear()
        return tickets

    def _plan_window(self) -> None:
        window: list[Ticket] = []
        while self._waiting and len(window) < WINDOW:
            ticket = self._waiting.popleft()
            if not ticket.answer.done():
                window.append(ticket)
        lengths = [len(ticket.token_ids) for ticket in window]
        for batch in plan_batches(lengths, self._budget):
            self._planned.append([window[index] for index in batch])
