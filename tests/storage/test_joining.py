import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from serve_app.core.errors import DatabaseUnavailable
from serve_app.core.memory import Scope
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import VectorSearch
from serve_app.storage.joining import SEARCHES, STATEMENTS, Found, JoinedSearches
from tests.storage.corpus import NOW


def search(number: int) -> VectorSearch:
    scope = Scope(1, "agent", f"user-{number}")
    return VectorSearch(scope, np.zeros(4, np.float32), number, RankingPolicy(), NOW)


class Database:
    """Answers each search with as many Nones as its top_k says, once it is let go."""

    def __init__(self) -> None:
        self.statements: list[list[int]] = []
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def run(self, searches: Sequence[VectorSearch]) -> Found:
        self.statements.append([one.top_k for one in searches])
        await self.go.wait()
        if self.error:
            raise self.error
        return [[None] * one.top_k for one in searches]


async def submit(joined: JoinedSearches, calls: list[list[int]]) -> list[asyncio.Task[Found]]:
    """One task a call, all of them begun."""
    tasks = [
        asyncio.create_task(joined.submit([search(number) for number in call])) for call in calls
    ]
    await asyncio.sleep(0)
    return tasks


async def test_what_waits_leaves_together_and_each_gets_its_own() -> None:
    database = Database()
    first = [[number] for number in range(STATEMENTS)]
    late = [[7, 8], [9], [10, 11, 12]]
    tasks = await submit(JoinedSearches(database.run), first + late)
    assert database.statements == first, "an idle one never waits for company"
    database.go.set()
    answers = await asyncio.gather(*tasks)
    assert database.statements == [*first, [7, 8, 9, 10, 11, 12]]
    assert [[len(found) for found in answer] for answer in answers] == first + late


async def test_a_statement_is_bounded() -> None:
    database = Database()
    calls = [[0]] * STATEMENTS + [[1] * (SEARCHES - 1), [2, 2], [3] * (2 * SEARCHES), [4]]
    tasks = await submit(JoinedSearches(database.run), calls)
    database.go.set()
    await asyncio.gather(*tasks)
    assert [len(each) for each in database.statements[STATEMENTS:]] == [
        SEARCHES - 1,
        2,
        2 * SEARCHES,
        1,
    ]


async def test_an_error_reaches_all_who_shared_it_and_nobody_after() -> None:
    database = Database()
    joined = JoinedSearches(database.run)
    tasks = await submit(joined, [[0]] * STATEMENTS + [[1], [2]])
    database.error = DatabaseUnavailable("gone")
    database.go.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, DatabaseUnavailable) for outcome in outcomes)
    database.error = None
    assert [len(found) for found in await joined.submit([search(3)])] == [3]


@pytest.mark.parametrize("leaves", [0, STATEMENTS])
async def test_a_caller_who_leaves_takes_nobody_along(leaves: int) -> None:
    database = Database()
    tasks = await submit(JoinedSearches(database.run), [[0]] * STATEMENTS + [[5], [6]])
    tasks[leaves].cancel()
    await asyncio.sleep(0)
    database.go.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes.pop(leaves), asyncio.CancelledError)
    assert all(isinstance(outcome, list) for outcome in outcomes)
    sent = [number for statement in database.statements for number in statement]
    assert (5 in sent) == (leaves != STATEMENTS)
