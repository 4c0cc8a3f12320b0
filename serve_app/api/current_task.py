"""The task that serves a request."""

import asyncio


def current_task() -> "asyncio.Task[object]":
    """The running task: a coroutine of a server runs in one."""
    task = asyncio.current_task()
    assert task is not None
    return task
