"""Concurrent searches of one process join into few statements."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Search = TypeVar("Search")
Found = TypeVar("Found")

STATEMENTS = 4
"""At once: more only take turns on the cores of a server, and each costs a round trip."""
SEARCHES = 64
"""Of one statement, unless a single call brings more: it runs on one core of the server."""


class JoinedSearches(Generic[Search, Found]):
    """Runs a call at once while fewer than STATEMENTS are out; those that wait leave together."""

    def __init__(self, run: Callable[[Sequence[Search]], Awaitable[list[Found]]]) -> None:
        self._run = run
        self._out = 0
        self._waiting: deque[tuple[Sequence[Search], asyncio.Future[list[Found]]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, searches: Sequence[Search]) -> list[Found]:
        """What was found for each search, in order; raises what the statement raises.

        A caller that is cancelled while it waits is not sent; the others go on.
        """
        if self._out < STATEMENTS:
            return await self._send(searches)
        answer: asyncio.Future[list[Found]] = asyncio.get_running_loop().create_future()
        self._waiting.append((searches, answer))
        return await answer

    async def _send(self, searches: Sequence[Search]) -> list[Found]:
        self._out += 1
        try:
            return await self._run(searches)
        finally:
            self._out -= 1
            self._start_next()

    def _start_next(self) -> None:
        """Send what waits, as much as one statement takes."""
        batch: list[tuple[Sequence[Search], asyncio.Future[list[Found]]]] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0][0]) <= SEARCHES):
            searches, answer = self._waiting.popleft()
            if not answer.done():
                batch.append((searches, answer))
                size += len(searches)
        if batch:
            task = asyncio.create_task(self._deliver(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(
        self, batch: list[tuple[Sequence[Search], asyncio.Future[list[Found]]]]
    ) -> None:
        try:
            found = await self._send([search for searches, _ in batch for search in searches])
        except BaseException as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        start = 0
        for searches, answer in batch:
            if not answer.done():
                answer.set_result(found[start : start + len(searches)])
            start += len(searches)
