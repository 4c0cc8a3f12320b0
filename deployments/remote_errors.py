"""What went wrong with a remote call, in the words of core/errors.py."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import (
    BackPressureError,
    DeploymentUnavailableError,
    RequestCancelledError,
)
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from serve_app.core.errors import DeadlineExceeded, FleetmemError, Overloaded, Unavailable

T = TypeVar("T")

LOST_CALLS = (RayActorError, grpc.aio.AioRpcError, DeploymentUnavailableError)
"""The replica died, or cannot be reached; the call may or may not have run."""


class ReplicaLost(Unavailable):
    """The replica that worked on the call died; it may or may not have run."""

    code = "replica_lost"


async def call_once(response: Awaitable[Any], seconds: float) -> Any:
    """Await one remote call for at most `seconds`; raises FleetmemErrors only, or a bug."""
    try:
        async with asyncio.timeout(seconds):
            return await response
    except TimeoutError:
        raise DeadlineExceeded("no answer in time; try again") from None
    except BackPressureError as error:
        raise Overloaded("too many requests at once; slow down") from error
    except RayTaskError as error:
        raise _cause(error) from error
    except RequestCancelledError as error:
        raise Unavailable("the call was given up; try again") from error
    except LOST_CALLS as error:
        raise ReplicaLost("a replica was lost; try again") from error


async def call_until(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Make a call that may run twice, again while replicas are lost and `seconds` last."""
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        # Nearly always enough, and without the cost of what repeats.
        return await call_once(call(), seconds)
    except ReplicaLost:
        return await _repeat(call, deadline)


async def _repeat(call: Callable[[], Awaitable[T]], deadline: float) -> T:
    """Try again until `deadline`, in the loop's time; raises the last loss."""
    now = asyncio.get_running_loop().time
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(ReplicaLost),
        stop=stop_after_delay(max(deadline - now(), 0)),
        wait=wait_random_exponential(multiplier=0.05, max=1.0),
        reraise=True,
    )
    async for attempt in attempts:
        with attempt:
            return await call_once(call(), max(deadline - now(), 0.001))
    raise AssertionError("unreachable: the last attempt re-raises")


def _cause(error: RayTaskError) -> BaseException:
    """The FleetmemError that a replica raised; a bug stays what it is."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, FleetmemError) else error
