import asyncio
import logging

import pytest

from serve_app.core.errors import DatabaseUnavailable
from serve_app.operations.rereading import FRESH_SECONDS, Reread
from tests.operations.fleet import Clock


class Source:
    """What is read, how often it was, and when: not before `gate` is open."""

    def __init__(self) -> None:
        self.value = "first"
        self.reads = 0
        self.fault: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.clock = Clock(now=0.0)

    async def read(self) -> str:
        self.reads += 1
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return self.value

    def open(self) -> Reread[str]:
        return Reread("the thing", "nothing", self.read, self.clock)


async def settle() -> None:
    """Let a task in the background end."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_first_calls_wait_together_for_one_read() -> None:
    source = Source()
    source.gate.clear()
    known = source.open()
    calls = [asyncio.create_task(known.find()) for _ in range(3)]
    await settle()
    assert [call.done() for call in calls] == [False] * 3
    source.gate.set()
    assert await asyncio.gather(*calls) == ["first"] * 3
    assert source.reads == 1


async def test_it_is_read_again_when_it_is_old_and_nobody_waits_for_that() -> None:
    source = Source()
    known = source.open()
    await known.find()
    source.value = "second"
    source.clock.now = FRESH_SECONDS - 0.1
    assert await known.find() == "first"
    await settle()
    assert source.reads == 1
    source.clock.now = FRESH_SECONDS
    source.gate.clear()
    for _ in range(3):
        assert await known.find() == "first"
        await settle()
    source.gate.set()
    await settle()
    assert await known.find() == "second"
    assert source.reads == 2


async def test_a_value_is_fresh_from_when_its_read_ended() -> None:
    source = Source()
    source.gate.clear()
    known = source.open()
    call = asyncio.create_task(known.find())
    await settle()
    source.clock.now = 100.0
    source.gate.set()
    assert await call == "first"
    source.clock.now += FRESH_SECONDS - 0.1
    await known.find()
    await settle()
    assert source.reads == 1


async def test_what_cannot_be_read_stays_and_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = Source()
    source.fault = DatabaseUnavailable("no route to 10.0.0.1")
    known = source.open()
    with caplog.at_level(logging.WARNING):
        assert await known.find() == "nothing"
    assert caplog.messages == ["the thing cannot be read: database_unavailable"]
    await known.find()
    assert source.reads == 1
    source.fault = None
    source.clock.now += FRESH_SECONDS
    await known.find()
    await settle()
    assert await known.find() == "first"


async def test_a_caller_who_leaves_takes_nobody_along() -> None:
    source = Source()
    source.gate.clear()
    known = source.open()
    gone, stays = asyncio.create_task(known.find()), asyncio.create_task(known.find())
    await settle()
    gone.cancel()
    await settle()
    source.gate.set()
    assert await stays == "first"
    assert (gone.cancelled(), source.reads) == (True, 1)


async def test_a_fault_reaches_who_waits_and_it_is_read_again() -> None:
    source = Source()
    source.fault = ZeroDivisionError()
    known = source.open()
    with pytest.raises(ZeroDivisionError):
        await known.find()
    source.fault = None
    source.clock.now += FRESH_SECONDS
    await known.find()
    await settle()
    assert await known.find() == "first"
