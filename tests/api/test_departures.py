import asyncio

import pytest

from serve_app.api.departures import Departures

HTTP = {"type": "http"}


class Caller:
    """A connection as a server shows it: a body, and then silence until it is closed."""

    def __init__(self, *bodies: bytes) -> None:
        self.messages: asyncio.Queue[dict] = asyncio.Queue()
        self.readers = 0
        for number, body in enumerate(bodies, 1):
            more = number < len(bodies)
            self.messages.put_nowait({"type": "http.request", "body": body, "more_body": more})

    async def receive(self) -> dict:
        self.readers += 1
        assert self.readers == 1, "two read from one connection"
        try:
            return await self.messages.get()
        finally:
            self.readers -= 1

    def leave(self) -> None:
        self.messages.put_nowait({"type": "http.disconnect"})


async def answer(message: dict) -> None:
    """Nobody looks at it."""


async def test_work_for_a_caller_who_leaves_is_cancelled_and_nothing_is_raised():
    began, ended = asyncio.Event(), asyncio.Event()

    async def work(scope, receive, send) -> None:
        assert (await receive())["body"] == b"{}"
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    caller = Caller(b"{}")
    request = asyncio.create_task(Departures(work, 0)(HTTP, caller.receive, answer))
    await began.wait()
    assert not ended.is_set()
    caller.leave()
    await request
    assert ended.is_set()


async def test_a_body_that_the_application_reads_late_is_not_lost():
    watched = asyncio.Event()
    read = []

    async def work(scope, receive, send) -> None:
        await watched.wait()
        read.extend([(await receive())["body"], (await receive())["body"]])

    class Watched(Caller):
        async def receive(self) -> dict:
            message = await super().receive()
            if self.messages.empty():
                watched.set()
            return message

    await Departures(work, 0)(HTTP, Watched(b"a", b"b").receive, answer)
    assert read == [b"a", b"b"]


async def test_who_waits_for_a_body_is_told_of_the_departure():
    told = []

    async def work(scope, receive, send) -> None:
        reading.set()
        told.append(await receive())

    reading = asyncio.Event()
    caller = Caller()
    request = asyncio.create_task(Departures(work, 0)(HTTP, caller.receive, answer))
    await reading.wait()
    caller.leave()
    await request
    assert told == [{"type": "http.disconnect"}]


async def test_a_cancellation_from_outside_stays_one():
    async def work(scope, receive, send) -> None:
        began.set()
        await asyncio.Event().wait()

    began = asyncio.Event()
    request = asyncio.create_task(Departures(work, 0)(HTTP, Caller(b"").receive, answer))
    await began.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request


async def test_nobody_reads_after_the_answer():
    async def work(scope, receive, send) -> None:
        await watched.wait()

    class Watched(Caller):
        async def receive(self) -> dict:
            watched.set()
            return await super().receive()

    watched = asyncio.Event()
    caller = Watched()
    before = asyncio.all_tasks()
    await Departures(work, 0)(HTTP, caller.receive, answer)
    left = asyncio.all_tasks() - before
    await asyncio.gather(*left, return_exceptions=True)
    assert caller.readers == 0
    assert all(task.cancelled() for task in left)
