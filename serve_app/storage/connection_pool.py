"""Connections that are kept: taken and given back without a round trip, a task or a proxy.

asyncpg's own pool costs a search more of this process than its parameters do.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import asyncpg

IDLE_SECONDS = 300.0
"""A connection beyond the least that nobody needed for as long is closed."""


class ConnectionPool:
    """From `least` to `most` connections, opened by `connect` as they are needed.

    Whoever takes one gives it back. One that is lost is replaced by who needs the next.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[asyncpg.Connection]], least: int, most: int
    ) -> None:
        self._connect = connect
        self._least = least
        self._most = most
        self._size = 0
        self._idle: list[asyncpg.Connection] = []
        self._unneeded = 0
        self._waiting: deque[asyncio.Future[asyncpg.Connection | None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False

    async def open(self) -> None:
        """Open the least; raises what `connect` raises, and then needs to be closed, too."""
        # One alone first: what is wrong with an address is told once.
        await self._open_idle()
        await asyncio.gather(*(self._open_idle() for _ in range(self._least - 1)))

    async def close(self) -> None:
        """Close all: those that work when they are given back. No other can be taken."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        while self._idle:
            self._retire(self._idle.pop())
        while self._wake(None):  # those who wait learn that it is closed
            pass
        while self._size:
            await self._wait()
        self._wake(None)  # another who closes

    def usage(self) -> tuple[int, int]:
        """How many connections work, and how many wait."""
        lost = sum(connection.is_closed() for connection in self._idle)
        return self._size - len(self._idle), len(self._idle) - lost

    def take_idle(self) -> asyncpg.Connection | None:
        """One that waits, if any does: the one that was used last."""
        while self._idle:
            connection = self._idle.pop()
            self._unneeded = min(self._unneeded, len(self._idle))
            if not connection.is_closed():
                return connection
            self._forget(connection)
        return None

    async def take(self, seconds: float) -> asyncpg.Connection:
        """One that waits, a new one, or the next that is given back: in turn.

        Raises TimeoutError after `seconds`, what `connect` raises, InterfaceError once closed.
        """
        async with asyncio.timeout(seconds):
            while not self._closing:
                connection = self.take_idle()
                if connection is None:
                    connection = await (self._open() if self._size < self._most else self._wait())
                if connection is not None:
                    return connection
        raise asyncpg.InterfaceError("the pool is closed")

    def give_back(self, connection: asyncpg.Connection) -> None:
        """Let others take it; whatever it was left in is ended first."""
        if connection.is_closed():
            self._forget(connection)
        elif connection.is_in_transaction():
            self.settle(connection)
        elif self._closing:
            self._retire(connection)
        elif not self._wake(connection):
            self._idle.append(connection)
            if self._timer is None and self._size > self._least:
                self._watch_idle()

    def settle(self, connection: asyncpg.Connection) -> None:
        """Give back one whose statement may still run: once that has ended, in the background."""
        self._start(self._settle(connection))

    async def _settle(self, connection: asyncpg.Connection) -> None:
        try:
            with suppress(asyncpg.InFailedSQLTransactionError):
                await connection.execute("select 1")  # asyncpg lets it wait for a cancellation
            if connection.is_in_transaction():
                await connection.execute("rollback")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection.terminate()
        except BaseException:
            connection.terminate()
            raise
        finally:
            self.give_back(connection)

    async def _open(self) -> asyncpg.Connection:
        self._size += 1
        try:
            return await self._connect()
        except BaseException:
            self._leave()
            raise

    async def _open_idle(self) -> None:
        self.give_back(await self._open())

    async def _wait(self) -> asyncpg.Connection | None:
        """The next that is given back, or None when there is room for another."""
        waiter: asyncio.Future[asyncpg.Connection | None]
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except BaseException:
            if not waiter.cancelled() and not waiter.exception():
                # Left at the moment of the handing over.
                connection = waiter.result()
                if connection is None:
                    self._wake(None)
                else:
                    self.give_back(connection)
            raise

    def _wake(self, connection: asyncpg.Connection | None) -> bool:
        """Hand on a connection, or room for one, to who has waited longest, if anyone does."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _forget(self, connection: asyncpg.Connection) -> None:
        connection.terminate()  # what asyncpg still keeps of it
        self._leave()

    def _leave(self) -> None:
        self._size -= 1
        self._wake(None)

    def _retire(self, connection: asyncpg.Connection) -> None:
        self._start(self._end(connection))

    async def _end(self, connection: asyncpg.Connection) -> None:
        try:
            await connection.close()
        finally:
            self._leave()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _watch_idle(self) -> None:
        self._unneeded = len(self._idle)
        self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.close_unneeded)

    def close_unneeded(self) -> None:
        """Close those beyond the least that have waited all the time since the last look."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for _ in range(min(self._unneeded, self._size - self._least)):
            self._retire(self._idle.pop(0))
        if self._size > self._least:
            self._watch_idle()
