"""Join concurrent calls of one process into one remote call.

A remote call costs a millisecond or two of CPU whatever it carries, so callers that arrive while
`concurrency` calls are out leave together as one list. An idle coalescer never waits for company.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from serve_app.core.errors import FleetmemError, Overloaded
from serve_app.telemetry import Meter

Item = TypeVar("Item")
Result = TypeVar("Result")


class Coalescer(Generic[Item, Result]):
    """Gives each caller its own result or error; callers that have left are not sent."""

    def __init__(
        self,
        name: str,
        send: Callable[[Sequence[Item]], Awaitable[Sequence[Result | FleetmemError]]],
        meter: Meter,
        concurrency: int = 4,
        max_items: int = 64,
        max_waiting: int = 4096,
    ) -> None:
        self._name = name
        self._send = send
        self._meter = meter
        self._concurrency = concurrency
        self._max_items = max_items
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """The item's own result; raises its own error, or Overloaded when too many wait."""
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded(f"too many {self._name} calls wait; slow down")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if len(self._waiting) == 1:
            # Everything that this turn of the loop can read joins the batch.
            loop.call_soon(self._start)
        return await future

    def _start(self) -> None:
        """Send what waits, as far as the limits allow."""
        while self._waiting and len(self._in_flight) < self._concurrency:
            batch = self._take()
            if batch:
                task = asyncio.create_task(self._deliver(batch))
                self._in_flight.add(task)
                task.add_done_callback(self._finish)

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._max_items:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._start()

    async def _deliver(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        self._meter.observe("coalesced_batch_size", len(batch), call=self._name)
        try:
            outcomes = await self._send([item for item, _ in batch])
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, FleetmemError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
