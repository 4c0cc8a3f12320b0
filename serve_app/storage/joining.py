"""Concurrent searches of one process join into few statements, and a long list is cut into some."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from math import ceil
from typing import Generic, TypeAlias, TypeVar

Search = TypeVar("Search")
Found = TypeVar("Found")
Call: TypeAlias = tuple[Sequence[Search], asyncio.Future[list[Found]]]

STATEMENTS = 4
"""At once: more only take turns on the cores of a server, and each costs a round trip."""
SEARCHES = 64
"""Of one statement: it runs on one core of the server."""
WORTH_A_STATEMENT = 4
"""A list is not cut into fewer: each statement has a cost of its own."""


class JoinedSearches(Generic[Search, Found]):
    """Shares all that is asked evenly among at most STATEMENTS; what comes at once joins."""

    def __init__(self, run: Callable[[Sequence[Search]], Awaitable[list[Found]]]) -> None:
        self._run = run
        self._out = 0
        self._asked = 0
        self._waiting: deque[Call[Search, Found]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = False

    async def submit(self, searches: Sequence[Search]) -> list[Found]:
        """What was found for each search, in order; raises what a statement raises.

        A short list leaves at once while nothing is out. A caller that is cancelled while it waits
        is not sent; the others go on.
        """
        self._asked += len(searches)
        try:
            if not self._out and not self._waiting and len(searches) <= WORTH_A_STATEMENT:
                self._out += 1
                return await self._send(searches)
            size = max(WORTH_A_STATEMENT, self._share())
            starts = range(0, len(searches), size)
            parts = [self._queue(searches[start : start + size]) for start in starts]
            return list(chain.from_iterable(await asyncio.gather(*parts)))
        finally:
            self._asked -= len(searches)

    def _queue(self, searches: Sequence[Search]) -> asyncio.Future[list[Found]]:
        answer: asyncio.Future[list[Found]] = asyncio.get_running_loop().create_future()
        self._waiting.append((searches, answer))
        self._start_soon()
        return answer

    async def _send(self, searches: Sequence[Search]) -> list[Found]:
        try:
            return await self._run(searches)
        finally:
            self._out -= 1
            self._start_soon()

    def _start_soon(self) -> None:
        """Once all that the loop has at hand has been asked: those just answered ask again."""
        if self._waiting and self._out < STATEMENTS and not self._starting:
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._starting = False
        while self._out < STATEMENTS and (batch := self._take_share()):
            self._out += 1
            task = asyncio.create_task(self._deliver(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _share(self) -> int:
        """A statement's share of all that is asked, so that none has most of it."""
        return min(SEARCHES, ceil(self._asked / STATEMENTS))

    def _take_share(self) -> list[Call[Search, Found]]:
        """What goes into the next statement."""
        share = self._share()
        batch: list[Call[Search, Found]] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0][0]) <= share):
            searches, answer = self._waiting.popleft()
            if not answer.done():
                batch.append((searches, answer))
                size += len(searches)
        return batch

    async def _deliver(self, batch: list[Call[Search, Found]]) -> None:
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
