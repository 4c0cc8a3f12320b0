"""Calls that wait, in turns of their tenants: a thousand of one do not go before one of another."""

import asyncio
from collections import deque
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Waiting(NamedTuple, Generic[Item, Result]):
    """One call, the future of its outcome, and its bytes."""

    item: Item
    answer: asyncio.Future[Result]
    size: int


class FairQueue(Generic[Item, Result]):
    """A queue for each tenant, and the order of their turns; every step costs the same."""

    def __init__(self) -> None:
        self._lanes: dict[int, deque[Waiting[Item, Result]]] = {}
        self._turns: deque[int] = deque()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def length_of(self, tenant: int) -> int:
        """How many calls of one tenant wait."""
        lane = self._lanes.get(tenant)
        return len(lane) if lane else 0

    def put(self, tenant: int, waiting: Waiting[Item, Result]) -> None:
        """Queue a call behind its tenant's own."""
        lane = self._lanes.get(tenant)
        if lane is None:
            lane = self._lanes[tenant] = deque()
            self._turns.append(tenant)
        lane.append(waiting)
        self._length += 1

    def take(self, items: int, size: int) -> list[Waiting[Item, Result]]:
        """One call of each tenant in turn, up to `items` of them and `size` bytes.

        Callers that have left are dropped. A call above `size` goes alone.
        """
        batch: list[Waiting[Item, Result]] = []
        taken = 0
        while self._turns and len(batch) < items:
            waiting = self._lanes[self._turns[0]][0]
            if waiting.answer.done():
                self._drop_first(keep_turn=True)
                continue
            if batch and taken + waiting.size > size:
                break
            self._drop_first(keep_turn=False)
            batch.append(waiting)
            taken += waiting.size
        return batch

    def _drop_first(self, keep_turn: bool) -> None:
        """Take away the call whose turn it is; the turn passes on unless it is kept."""
        tenant = self._turns[0]
        lane = self._lanes[tenant]
        lane.popleft()
        self._length -= 1
        if not lane:
            del self._lanes[tenant]
            self._turns.popleft()
        elif not keep_turn:
            self._turns.rotate(-1)
