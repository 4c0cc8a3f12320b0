import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from serve_app.storage import connection_pool as module
from serve_app.storage.connection_pool import ConnectionPool

SECONDS = 20.0
"""Far more than anything here takes."""


@pytest.fixture
async def pool(fresh_dsn: str) -> AsyncIterator[ConnectionPool]:
    """At least one, at most two connections, to a real server."""
    pool = ConnectionPool(lambda: asyncpg.connect(fresh_dsn), 1, 2)
    await pool.open()
    yield pool
    async with asyncio.timeout(SECONDS):  # a test that failed may have kept one
        await pool.close()


async def take(pool: ConnectionPool) -> asyncpg.Connection:
    return await pool.take(SECONDS)


async def leave_two(pool: ConnectionPool) -> tuple[asyncpg.Connection, asyncpg.Connection]:
    """Two connections that wait, in the order in which they were given back."""
    first, second = await take(pool), await take(pool)
    pool.give_back(first)
    pool.give_back(second)
    return first, second


async def until(pool: ConnectionPool, usage: tuple[int, int]) -> None:
    async with asyncio.timeout(SECONDS):
        while pool.usage() != usage:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.001)


async def wait_for_one(pool: ConnectionPool) -> asyncio.Task[asyncpg.Connection]:
    waiting = asyncio.create_task(take(pool))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    return waiting


async def test_the_one_used_last_is_taken_first(pool: ConnectionPool) -> None:
    first, second = await leave_two(pool)
    assert pool.usage() == (0, 2)
    assert pool.take_idle() is second
    assert pool.take_idle() is first
    assert pool.take_idle() is None
    pool.give_back(first)
    pool.give_back(second)


async def test_those_who_wait_are_served_in_turn(pool: ConnectionPool) -> None:
    first, second = await take(pool), await take(pool)
    early, late = await wait_for_one(pool), await wait_for_one(pool)
    pool.give_back(first)
    assert pool.take_idle() is None, "it is the waiting one's, whoever comes first now"
    assert await early is first
    pool.give_back(second)
    assert await late is second
    pool.give_back(first)
    pool.give_back(second)


async def test_who_leaves_while_waiting_takes_none_along(pool: ConnectionPool) -> None:
    first, second = await take(pool), await take(pool)
    gone, handed, next_one = [await wait_for_one(pool) for _ in range(3)]
    gone.cancel()
    await asyncio.sleep(0)
    pool.give_back(first)
    handed.cancel()  # after it was handed over, before it could know
    assert await next_one is first
    with pytest.raises(TimeoutError):
        await pool.take(0.01)
    pool.give_back(first)
    pool.give_back(second)
    assert pool.usage() == (0, 2)


async def test_a_lost_one_makes_room_for_who_waits(pool: ConnectionPool) -> None:
    first, second = await take(pool), await take(pool)
    leaves, waits = await wait_for_one(pool), await wait_for_one(pool)
    first.terminate()
    pool.give_back(first)
    leaves.cancel()
    fresh = await waits
    assert fresh not in (first, second)
    assert await fresh.fetchval("select 1") == 1
    pool.give_back(fresh)
    second.terminate()
    pool.give_back(second)
    assert pool.usage() == (0, 1)


async def test_one_that_was_lost_while_idle_is_not_handed_out(
    pool: ConnectionPool, fresh_dsn: str
) -> None:
    idle = await take(pool)
    pid = idle.get_server_pid()
    pool.give_back(idle)
    owner = await asyncpg.connect(fresh_dsn)
    await owner.execute("select pg_terminate_backend($1)", pid)
    await until(pool, (0, 0))
    await owner.close()
    fresh = await take(pool)
    assert fresh is not idle
    assert await fresh.fetchval("select 1") == 1
    pool.give_back(fresh)
    assert pool.usage() == (0, 1)


async def test_a_connection_that_cannot_be_opened_leaves_its_place(fresh_dsn: str) -> None:
    refused = True

    async def connect() -> asyncpg.Connection:
        if refused:
            raise ConnectionRefusedError
        return await asyncpg.connect(fresh_dsn)

    pool = ConnectionPool(connect, 1, 1)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await take(pool)
    refused = False
    pool.give_back(await take(pool))
    await pool.close()


async def test_an_open_transaction_is_ended_before_others_see_it(pool: ConnectionPool) -> None:
    taken = await take(pool)
    await taken.execute("begin; create table left_behind (id int)")
    pool.give_back(taken)
    assert pool.take_idle() is None
    await until(pool, (0, 1))
    assert pool.take_idle() is taken
    assert await taken.fetchval("select to_regclass('left_behind')") is None
    await taken.execute("begin")
    with pytest.raises(asyncpg.UndefinedTableError):
        await taken.execute("select * from left_behind")
    pool.give_back(taken)
    await until(pool, (0, 1))
    assert pool.take_idle() is taken
    assert await taken.fetchval("select 1") == 1
    pool.give_back(taken)


async def test_an_abandoned_statement_is_ended_before_others_wait_for_it(
    pool: ConnectionPool,
) -> None:
    taken = await take(pool)
    asleep = asyncio.create_task(taken.execute("select pg_sleep(600)"))
    await asyncio.sleep(0)
    asleep.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asleep
    pool.settle(taken)
    assert pool.take_idle() is None
    await until(pool, (0, 1))
    assert pool.take_idle() is taken
    assert await taken.fetchval("select 1") == 1
    pool.give_back(taken)


async def test_one_that_cannot_be_settled_is_closed(pool: ConnectionPool) -> None:
    taken = await take(pool)
    asleep = asyncio.create_task(taken.execute("select pg_sleep(600)"))
    await asyncio.sleep(0)
    pool.settle(taken)  # while its statement still runs: asyncpg refuses
    await until(pool, (0, 0))
    assert taken.is_closed()
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await asleep


async def test_what_nobody_needed_for_a_while_is_closed(
    pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    first, second = await leave_two(pool)
    await until(pool, (0, 1))
    assert first.is_closed()
    assert pool.take_idle() is second, "the least stay"
    pool.give_back(second)


async def test_one_that_is_needed_now_and_then_stays(
    pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 600.0)
    first, second = await leave_two(pool)
    assert pool.take_idle() is second
    assert pool.take_idle() is first
    pool.give_back(first)
    pool.give_back(second)
    pool.close_unneeded()
    assert pool.usage() == (0, 2)
    pool.close_unneeded()
    await until(pool, (0, 1))


async def test_closing_waits_for_those_that_work_and_for_nobody_else(fresh_dsn: str) -> None:
    pool = ConnectionPool(lambda: asyncpg.connect(fresh_dsn), 2, 2)
    await pool.open()
    first, second = await take(pool), await take(pool)
    waiting = await wait_for_one(pool)
    pool.give_back(first)
    late = await wait_for_one(pool)
    closing = [asyncio.create_task(pool.close()) for _ in range(2)]
    assert await waiting is first
    with pytest.raises(asyncpg.InterfaceError):
        await late
    with pytest.raises(asyncpg.InterfaceError):
        await take(pool)
    pool.give_back(first)
    await until(pool, (1, 0))
    assert not any(one.done() for one in closing)
    pool.give_back(second)
    await asyncio.gather(*closing)
    assert first.is_closed()
    assert second.is_closed()
