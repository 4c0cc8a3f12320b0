"""Searches per second: a bare asyncpg loop, our storage layer, and the Retrieval deployment.

All three take turns in one process on one database, with as many connections, the same SQL and the
same questions. The bare loop holds its connections, has its parameters ready, and reads no row.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from statistics import median

from bench.memory_recall import Question
from bench.reporting import Result, say
from serve_app.core.search import VectorSearch
from serve_app.settings import Settings
from serve_app.storage.connection import Connection, Pool, acquired, open_pool
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.queries import query
from serve_app.storage.rows import search_columns, to_plain_search

CALLERS = (1, 8, 32)
WARM_SECONDS = 0.5

Way = Callable[[VectorSearch], Awaitable[object]]
Call = Callable[[], Awaitable[object]]
Drive = Callable[[Sequence[VectorSearch], int, float], Awaitable[float]]


async def compare_ways(
    settings: Settings, questions: Sequence[Question], ways: dict[str, Way], plan: tuple[int, float]
) -> list[Result]:
    """Searches/s of the bare loop, of storage and of `ways` by callers: medians of the rounds.

    `plan` is the number of rounds and the seconds of each turn.
    """
    searches = [question.search for question in questions]
    pool = await open_pool(settings)
    try:
        memories = PostgresMemories(pool, settings)
        drives: dict[str, Drive] = {"bare": _bare_drive(pool, settings)}
        for name, way in ({"storage": memories.search} | ways).items():
            drives[name] = _drive_of(way)
        return [await _measure(drives, searches, callers, plan) for callers in CALLERS]
    finally:
        await pool.close()


async def _measure(
    drives: dict[str, Drive],
    searches: Sequence[VectorSearch],
    callers: int,
    plan: tuple[int, float],
) -> Result:
    rounds, seconds = plan
    rates: dict[str, list[float]] = {name: [] for name in drives}
    for drive in drives.values():
        await drive(searches, callers, WARM_SECONDS)
    for _ in range(rounds):
        for name, drive in drives.items():
            rates[name].append(await drive(searches, callers, seconds))
    row: Result = {"callers": callers}
    row |= {f"{name}_per_second": median(found) for name, found in rates.items()}
    for name, found in rates.items():
        if name != "bare":
            # Of each round, so that what else runs on the machine weighs on both.
            shares = [ours / bare for ours, bare in zip(found, rates["bare"], strict=True)]
            row[f"{name}_of_bare"] = median(shares)
    say(f"  {row}")
    return row


def _drive_of(way: Way) -> Drive:
    async def drive(searches: Sequence[VectorSearch], callers: int, seconds: float) -> float:
        turn = itertools.cycle(searches)
        return await _count([lambda: way(next(turn))] * callers, seconds)

    return drive


def _bare_drive(pool: Pool, settings: Settings) -> Drive:
    statement = query("search_memories")

    async def drive(searches: Sequence[VectorSearch], callers: int, seconds: float) -> float:
        asked = [
            (*search_columns([to_plain_search(search)]), settings.exact_scope_rows, search.model)
            for search in searches
        ]
        turn = itertools.cycle(asked)

        def asker(connection: Connection) -> Call:
            async def call() -> object:
                return await connection.fetch(statement, *next(turn))

            return call

        async with AsyncExitStack() as held:
            # More callers than connections would only wait for each other.
            count = min(callers, settings.db_max_pool_size)
            connections = [await held.enter_async_context(acquired(pool)) for _ in range(count)]
            return await _count([asker(connection) for connection in connections], seconds)

    return drive


async def _count(calls: Sequence[Call], seconds: float) -> float:
    """Calls per second while each of `calls` is repeated without a pause."""
    done = 0
    started = time.perf_counter()

    async def repeat(call: Call) -> None:
        nonlocal done
        while time.perf_counter() - started < seconds:
            await call()
            done += 1

    await asyncio.gather(*(repeat(call) for call in calls))
    return done / (time.perf_counter() - started)
