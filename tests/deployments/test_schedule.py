import asyncio

import pytest

from deployments.schedule import Schedule


async def test_a_job_that_fails_runs_again() -> None:
    runs = 0
    ran_thrice = asyncio.Event()

    async def job() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            ran_thrice.set()
        raise ValueError("this time")

    schedule = Schedule()
    schedule.every(0.001, job)
    await asyncio.wait_for(ran_thrice.wait(), 5)
    schedule.check()


async def test_a_loop_that_ended_is_noticed() -> None:
    ended = asyncio.Event()

    async def job() -> None:
        ended.set()
        raise asyncio.CancelledError

    schedule = Schedule()
    schedule.every(0.001, job)
    await ended.wait()
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        schedule.check()
