"""Check health: ask every dependency, and say which one does not answer."""

import asyncio

from serve_app.core.errors import FleetmemError
from serve_app.operations.ports import Ports


async def check_health(ports: Ports) -> dict[str, str]:
    """`ok` or an error's stable code, by dependency; no text of an exception."""
    database, embedder = await asyncio.gather(
        ports.memories.check_health(), ports.embedder.check_health(), return_exceptions=True
    )
    return {"database": _word(database), "embedder": _word(embedder)}


def _word(outcome: BaseException | None) -> str:
    if outcome is None:
        return "ok"
    if isinstance(outcome, FleetmemError):
        return outcome.code
    raise outcome
