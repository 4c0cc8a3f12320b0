"""Long lists of one caller leave part by part."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from deployments.coalescing import Coalescer, Limits
from serve_app.core.errors import FleetmemError
from serve_app.telemetry import Meter

T = TypeVar("T")

Parts = Coalescer[Sequence[Any], list[Any]]

DOCUMENTS_PER_CALL = 64
"""Texts or memories of one remote call."""

PARTS = Limits(concurrency=8, max_items=1)
"""A long list leaves part by part, so that the parts of many lists take turns, too."""


async def take_outcome(pending: Awaitable[T]) -> T | FleetmemError:
    """The result, or the error as a value."""
    try:
        return await pending
    except FleetmemError as error:
        return error


def open_parts(
    name: str, send: Callable[[Sequence[Any]], Awaitable[list[Any]]], meter: Meter
) -> Parts:
    """Sends parts of long lists, each in a call of its own, in turns of their tenants."""

    async def send_one(parts: Sequence[Sequence[Any]]) -> list[list[Any]]:
        return [await send(part) for part in parts]

    return Coalescer(name, send_one, meter, PARTS)


async def send_parts(items: Sequence[Any], parts: Parts, tenant_id: int) -> list[Any]:
    """Send a long list part by part; a part that fails gives its error to each of its items."""
    outcomes: list[Any] = []
    for start in range(0, len(items), DOCUMENTS_PER_CALL):
        part = items[start : start + DOCUMENTS_PER_CALL]
        answer = await take_outcome(parts.submit(part, tenant_id))
        outcomes += [answer] * len(part) if isinstance(answer, FleetmemError) else answer
    return outcomes
