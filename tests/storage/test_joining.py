import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from serve_app.core.errors import DatabaseUnavailable
from serve_app.core.memory import Scope
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import VectorSearch
from serve_app.storage.joining import SEARCHES, STATEMENTS, WORTH_A_STATEMENT, JoinedSearches
from tests.storage.corpus import NOW

Joined = JoinedSearches[VectorSearch, list[None]]
Found = list[list[None]]


def search(number: int) -> VectorSearch:
    scope = Scope(1, "agent", f"user-{number}")
    return VectorSearch(scope, np.zeros(4, np.float32), number, RankingPolicy(), NOW)


class Database:
    """Answers each search with as many Nones as its top_k says, once its statement is let go."""

    def __init__(self) -> None:
        self.statements: list[list[int]] = []
        self.gates: list[asyncio.Event] = []
        self.error: Exception | None = None
        self.open = False

    async def run(self, searches: Sequence[VectorSearch]) -> Found:
        self.statements.append([one.top_k for one in searches])
        gate = asyncio.Event()
        self.gates.append(gate)
        if not self.open:
            await gate.wait()
        if self.error:
            raise self.error
        return [[None] * one.top_k for one in searches]

    def let_all_go(self) -> None:
        self.open = True
        for gate in self.gates:
            gate.set()


async def settle() -> None:
    """Until nothing is left that the loop could do by itself."""
    for _ in range(10):
        await asyncio.sleep(0)


async def submit(joined: Joined, calls: list[list[int]]) -> list[asyncio.Task[Found]]:
    """One task a call, all of them begun."""
    tasks = [
        asyncio.create_task(joined.submit([search(number) for number in call])) for call in calls
    ]
    await settle()
    return tasks


async def fill(database: Database, joined: Joined) -> list[asyncio.Task[Found]]:
    """As many statements as there may be, of one search each."""
    tasks = [task for _ in range(STATEMENTS) for task in await submit(joined, [[0]])]
    assert database.statements == [[0]] * STATEMENTS
    return tasks


async def test_an_idle_one_sends_at_once() -> None:
    database = Database()
    joined = JoinedSearches(database.run)
    task = asyncio.create_task(joined.submit([search(1)]))
    await asyncio.sleep(0)
    assert database.statements == [[1]], "not a turn of the loop later"
    database.let_all_go()
    await task


async def test_what_comes_at_once_is_shared_evenly_and_each_gets_its_own() -> None:
    database = Database()
    calls = [[1], [2, 3], [4], [5, 6, 7], [8], [9, 10]]
    tasks = await submit(JoinedSearches(database.run), calls)
    # Ten searches among four statements: three each.
    assert database.statements == [[1], [2, 3, 4], [5, 6, 7], [8, 9, 10]]
    database.let_all_go()
    answers = await asyncio.gather(*tasks)
    assert [[len(found) for found in answer] for answer in answers] == calls


async def test_those_just_answered_leave_together_when_they_ask_again() -> None:
    database = Database()
    joined = JoinedSearches(database.run)

    async def ask_twice(number: int) -> None:
        await joined.submit([search(number)])
        await joined.submit([search(number)])

    tasks = [asyncio.create_task(ask_twice(number)) for number in range(1 + 2 * STATEMENTS)]
    await settle()
    assert database.statements[1] == [1, 2, 3]
    database.gates[1].set()
    await settle()
    assert database.statements[STATEMENTS:] == [[1, 2, 3]]
    database.let_all_go()
    await asyncio.gather(*tasks)


async def test_a_statement_is_bounded() -> None:
    database = Database()
    joined = JoinedSearches(database.run)
    first = await fill(database, joined)
    calls = [[1] * (SEARCHES - 1), [2, 2], [3] * (4 * SEARCHES), [4]]
    tasks = await submit(joined, calls)
    database.let_all_go()
    answers = await asyncio.gather(*first, *tasks)
    assert [[len(found) for found in answer] for answer in answers[STATEMENTS:]] == calls
    sizes = [len(each) for each in database.statements[STATEMENTS:]]
    assert max(sizes) <= SEARCHES


@pytest.mark.parametrize(
    ("length", "sizes"),
    [
        (1, [1]),
        (WORTH_A_STATEMENT, [WORTH_A_STATEMENT]),
        (9, [4, 4, 1]),
        (64, [16, 16, 16, 16]),
        (2 * STATEMENTS * SEARCHES, [SEARCHES] * STATEMENTS),
    ],
)
async def test_a_long_list_is_shared_among_the_cores_of_the_server(
    length: int, sizes: list[int]
) -> None:
    database = Database()
    numbers = list(range(length))
    [task] = await submit(JoinedSearches(database.run), [numbers])
    assert [len(statement) for statement in database.statements] == sizes
    database.let_all_go()
    assert [len(found) for found in await task] == numbers


async def test_a_list_whose_caller_leaves_asks_no_more() -> None:
    database = Database()
    joined = JoinedSearches(database.run)
    [task] = await submit(joined, [[1] * (2 * STATEMENTS * SEARCHES)])
    task.cancel()
    await settle()
    assert len(database.statements) == STATEMENTS
    database.let_all_go()
    assert [len(found) for found in await joined.submit([search(3)])] == [3]
    assert database.statements[STATEMENTS:] == [[3]]


async def test_an_error_reaches_all_who_shared_it_and_nobody_after() -> None:
    database = Database()
    joined = JoinedSearches(database.run)
    tasks = [*await fill(database, joined), *await submit(joined, [[1], [2]])]
    database.error = DatabaseUnavailable("gone")
    database.let_all_go()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, DatabaseUnavailable) for outcome in outcomes)
    database.error = None
    assert [len(found) for found in await joined.submit([search(3)])] == [3]


@pytest.mark.parametrize("leaves", [0, STATEMENTS])
async def test_a_caller_who_leaves_takes_nobody_along(leaves: int) -> None:
    database = Database()
    joined = JoinedSearches(database.run)
    tasks = [*await fill(database, joined), *await submit(joined, [[5], [6]])]
    tasks[leaves].cancel()
    await settle()
    database.let_all_go()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes.pop(leaves), asyncio.CancelledError)
    assert all(isinstance(outcome, list) for outcome in outcomes)
    sent = [number for statement in database.statements for number in statement]
    assert (5 in sent) == (leaves != STATEMENTS)
    assert [len(found) for found in await joined.submit([search(3)])] == [3]
