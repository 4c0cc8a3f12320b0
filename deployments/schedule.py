"""Jobs that run again and again inside a replica."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger("fleetmem.schedule")


class Schedule:
    """Runs each job at its own pace; a job that fails is logged and runs again next time."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, seconds: float, job: Callable[[], Awaitable[None]]) -> None:
        """Run `job` now, and `seconds` after each end of it; needs a running loop."""
        self._tasks.append(asyncio.create_task(_repeat(seconds, job)))

    def check(self) -> None:
        """Raise when a job's loop has ended, so that Serve replaces the replica."""
        for task in self._tasks:
            if task.done():
                cause = None if task.cancelled() else task.exception()
                raise RuntimeError("a scheduled job has ended") from cause


async def _repeat(seconds: float, job: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await job()
        except Exception:
            logger.exception("job %s failed", job.__name__)
        await asyncio.sleep(seconds)
