import asyncio
from collections.abc import Awaitable, Callable

import pytest
from ray.exceptions import ActorDiedError
from ray.serve.exceptions import BackPressureError, RequestCancelledError

from deployments.remote_errors import ReplicaLost, call_once, call_until
from serve_app.core.errors import DeadlineExceeded, NotFound, Overloaded, Unavailable


def failing(error: Exception) -> Awaitable[None]:
    async def fail() -> None:
        raise error

    return fail()


@pytest.mark.parametrize(
    ("remote", "ours"),
    [
        (ActorDiedError(), ReplicaLost),
        (BackPressureError(num_queued_requests=3, max_queued_requests=2), Overloaded),
        (RequestCancelledError("1"), Unavailable),
        (NotFound("no such memory"), NotFound),
        (ValueError("a bug"), ValueError),
    ],
)
async def test_remote_failures_become_ours(remote: Exception, ours: type[Exception]) -> None:
    with pytest.raises(ours):
        await call_once(failing(remote), seconds=5)


async def test_a_late_answer_is_a_deadline() -> None:
    with pytest.raises(DeadlineExceeded):
        await call_once(asyncio.sleep(60), seconds=0.01)


def flaky(losses: int) -> tuple[Callable[[], Awaitable[str]], list[int]]:
    """A call whose replica is lost the first `losses` times."""
    calls: list[int] = []

    async def call() -> str:
        calls.append(1)
        if len(calls) <= losses:
            raise ActorDiedError()
        return "answer"

    return call, calls


async def test_a_lost_replica_is_tried_again() -> None:
    call, calls = flaky(2)
    assert await call_until(call, seconds=10) == "answer"
    assert len(calls) == 3


async def test_the_last_loss_is_reported() -> None:
    call, calls = flaky(10**9)
    with pytest.raises(Unavailable):
        await call_until(call, seconds=0.2)
    assert calls


async def test_other_errors_are_not_tried_again() -> None:
    calls: list[int] = []

    async def call() -> None:
        calls.append(1)
        raise NotFound("no such memory")

    with pytest.raises(NotFound):
        await call_until(call, seconds=10)
    assert len(calls) == 1
