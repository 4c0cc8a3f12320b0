"""Join concurrent calls of one process into one remote call.

A remote call costs a millisecond or two of CPU whatever it carries, so callers that arrive while
`concurrency` calls are out leave together as one list. An idle coalescer never waits for company.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from deployments.fair_queue import FairQueue, Waiting
from serve_app.core.errors import FleetmemError, Overloaded
from serve_app.telemetry import Meter

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much leaves at once, and how much may wait.

    What has left is the callee's queue, which knows no tenants: `concurrency` times `max_items`
    bounds how long a tenant's only call may stand behind another's thousand.
    """

    concurrency: int = 4
    max_items: int = 64
    max_bytes: int = 4 * 2**20
    max_waiting: int = 4096
    max_waiting_of_tenant: int = 2048


class Coalescer(Generic[Item, Result]):
    """Gives each caller its own result or error; callers that have left are not sent."""

    def __init__(
        self,
        name: str,
        send: Callable[[Sequence[Item]], Awaitable[Sequence[Result | FleetmemError]]],
        meter: Meter,
        limits: Limits | None = None,
        measure: Callable[[Item], int] | None = None,
    ) -> None:
        self._name = name
        self._send = send
        self._meter = meter
        self._limits = limits or Limits()
        self._measure = measure
        self._waiting: FairQueue[Item, Result] = FairQueue()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._is_starting = False

    async def submit(self, item: Item, tenant_id: int) -> Result:
        """The item's own result; raises its own error, or Overloaded when too many wait.

        A caller's deadline is its own: one that is cancelled leaves, and the others go on.
        """
        self._require_room(tenant_id)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        size = self._measure(item) if self._measure else 0
        self._waiting.put(tenant_id, Waiting(item, answer, size))
        if not self._is_starting and len(self._in_flight) < self._limits.concurrency:
            # Everything that this turn of the loop can read joins the batch.
            self._is_starting = True
            loop.call_soon(self._start)
        return await answer

    def _require_room(self, tenant_id: int) -> None:
        limits = self._limits
        if len(self._waiting) >= limits.max_waiting:
            raise Overloaded(f"too many {self._name} calls wait; slow down")
        if self._waiting.length_of(tenant_id) >= limits.max_waiting_of_tenant:
            raise Overloaded(f"too many of your {self._name} calls wait; slow down")

    def _start(self) -> None:
        """Send what waits, as far as the limits allow."""
        self._is_starting = False
        limits = self._limits
        while self._waiting and len(self._in_flight) < limits.concurrency:
            if batch := self._waiting.take(limits.max_items, limits.max_bytes):
                task = asyncio.create_task(self._deliver(batch))
                self._in_flight.add(task)
                task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._start()

    async def _deliver(self, batch: list[Waiting[Item, Result]]) -> None:
        self._meter.observe("coalesced_batch_size", len(batch), call=self._name)
        try:
            outcomes = await self._send([waiting.item for waiting in batch])
        except BaseException as error:
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(outcome, FleetmemError):
                waiting.answer.set_exception(outcome)
            else:
                waiting.answer.set_result(outcome)
