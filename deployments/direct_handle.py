"""A handle whose busiest methods go straight to a replica, past Serve (docs/adr/0024)."""

import asyncio
import logging
from collections.abc import Awaitable
from contextvars import Context
from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments.direct_connection import DirectConnection
from deployments.direct_server import Introduction
from deployments.remote_errors import LOST_CALLS
from deployments.schedule import Schedule
from serve_app.telemetry import Meter

LOOK_SECONDS = 1.0
"""Between two looks for replicas: a new one is used later by that; a dead one is known at once."""

ANSWER_SECONDS = 2.0

log = logging.getLogger("fleetmem.direct")


class DirectHandle:
    """Stands for a DeploymentHandle. While no replica is connected, Serve makes every call."""

    def __init__(self, handle: DeploymentHandle[Any], deployment: str, meter: Meter) -> None:
        self._handle = handle
        self._deployment = deployment
        self._meter = meter
        self._connections: dict[Introduction, DirectConnection] = {}
        self._unreachable: set[Introduction] = set()
        self._schedule: Schedule | None = None

    def __getattr__(self, method: str) -> Any:
        return DirectMethod(self, method)

    def call(self, method: str, arguments: tuple[Any, ...]) -> Awaitable[Any]:
        """One call, on the connection with the fewest that has the method, or through Serve."""
        if self._schedule is None:
            self._schedule = Schedule()
            # In a context of its own: the looks are no part of the request that began them.
            Context().run(self._schedule.every, LOOK_SECONDS, self._look)
        connection = self._choose(method)
        if connection is None:
            self._meter.count("remote_calls", deployment=self._deployment, way="serve")
            return getattr(self._handle, method).remote(*arguments)
        self._meter.count("remote_calls", deployment=self._deployment, way="direct")
        return connection.call(method, arguments)

    def _choose(self, method: str) -> DirectConnection | None:
        able = [
            connection
            for connection in self._connections.values()
            if connection.is_open and method in connection.introduction.methods
        ]
        if not able:
            return None
        chosen = min(able, key=lambda connection: connection.in_flight)
        if len(able) > 1:
            # To the end, so that equals take turns.
            where = chosen.introduction
            self._connections[where] = self._connections.pop(where)
        return chosen

    async def _look(self) -> None:
        """Connect to whom Serve names, and leave those whom it names no more."""
        try:
            answers = await self._handle.broadcast("introduce").results_async(
                timeout_s=ANSWER_SECONDS, return_exceptions=True
            )
        except (TimeoutError, *LOST_CALLS) as error:
            log.debug("no replica of %s introduced itself: %s", self._deployment, error)
            return
        there = {answer for answer in answers if isinstance(answer, Introduction)}
        for where in self._connections.keys() - there:
            self._connections.pop(where).retire()
        self._unreachable &= there
        await asyncio.gather(*(self._connect(where) for where in there))

    async def _connect(self, where: Introduction) -> None:
        known = self._connections.get(where)
        if known is not None and (known.is_open or known.is_leaving):
            return
        connection = DirectConnection(where)
        try:
            await connection.open()
        except (OSError, TimeoutError) as error:
            connection.close()
            self._warn(where, error)
            return
        self._unreachable.discard(where)
        self._connections[where] = connection

    def _warn(self, where: Introduction, error: Exception) -> None:
        """Once for each replica, not at each look."""
        if where not in self._unreachable:
            self._unreachable.add(where)
            log.warning(
                "%s at %s:%s cannot be called directly, Serve makes its calls: %r",
                *(self._deployment, where.host, where.port, error),
            )


class DirectMethod:
    """`.remote(...)` of one method, as a handle's."""

    def __init__(self, handle: DirectHandle, method: str) -> None:
        self._handle = handle
        self._method = method

    def remote(self, *arguments: Any) -> Awaitable[Any]:
        """See DeploymentHandle."""
        return self._handle.call(self._method, arguments)


Handle = DeploymentHandle[Any] | DirectHandle
"""What a remote adapter of busy methods calls."""
