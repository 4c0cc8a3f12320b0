"""kill -9 of Postgres, of a replica, of maintenance: nothing acknowledged is lost, all heals."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import httpx
import pytest

from serve_app.local.postgres import find_running
from tests.service.running import (
    RunningService,
    descendants,
    is_alive,
    open_folder,
    processes_named,
    wait_until,
)
from tests.service.writing import AGENT, Writer, all_are_there, writes_go_on


@pytest.fixture(scope="module")
def own_service() -> Iterator[RunningService]:
    folder = open_folder()
    running = RunningService(folder, FLEETMEM_SUMMARIZATION_ENABLED="false")
    running.start()
    yield running
    if running.is_running():
        running.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(
    "victim",
    [
        "postgres -D",
        "ServeReplica:fleetmem:Retrieval",
        "ServeReplica:fleetmem:Embedding",
        "ServeReplica:fleetmem:Maintenance",
        "ServeReplica:fleetmem:Ingress",
    ],
)
def test_acknowledged_writes_survive(own_service: RunningService, victim: str) -> None:
    assert own_service.process is not None
    with Writer(own_service) as writer:
        writes_go_on(writer)
        [pid, *_] = processes_named(own_service.process.pid, victim)
        os.kill(pid, signal.SIGKILL)
        writes_go_on(writer)
    all_are_there(own_service, writer.acknowledged)
    assert set(writer.refused) <= {0, 500, 503}
    wait_until(lambda: processes_named(own_service.process.pid, victim) not in ([], [pid]), 60)


BLOCK_COMMITS = """
create function await_test() returns trigger language plpgsql set lock_timeout = 0 as $$
begin
  perform pg_advisory_xact_lock(20, 20);
  return null;
end $$;
create constraint trigger await_test after insert on idempotency_keys
  deferrable initially deferred for each row execute function await_test();
select pg_advisory_lock(20, 20);
"""
COMMIT_WAITS = """
select exists (select from pg_stat_activity where wait_event = 'advisory' and query ilike 'commit%')
"""
STORED = "select array_agg(id::text) from memories where content = $1"


@asynccontextmanager
async def blocked_commits(service: RunningService) -> AsyncGenerator[asyncpg.Connection]:
    """No write under an idempotency key gets past its COMMIT until the lock (20, 20) is free."""
    connection = await asyncpg.connect(find_running(service.data_directory))
    try:
        await connection.execute(BLOCK_COMMITS)
        yield connection
    finally:
        await connection.execute("select pg_advisory_unlock_all()")
        await connection.execute("drop function await_test cascade")
        await connection.close()


async def comes_true(connection: asyncpg.Connection, question: str, *values: object) -> None:
    async with asyncio.timeout(8):
        while not await connection.fetchval(question, *values):
            # Postgres cannot tell of it by itself: asked again and again.
            await connection.execute("select pg_sleep(0.02)")


def post_once(service: RunningService, body: dict[str, str], key: str) -> httpx.Response | None:
    """The answer, or None where the connection was lost."""
    try:
        with service.client() as client:
            return client.post("/v1/memories", json=body, headers={"Idempotency-Key": key})
    except httpx.HTTPError:
        return None


async def test_a_write_whose_answer_was_killed_is_told_and_not_done_again(
    own_service: RunningService,
) -> None:
    assert own_service.process is not None
    key, content = str(uuid4()), f"Paid invoice {uuid4()}"
    sending = own_service, AGENT | {"content": content}, key
    [ingress] = processes_named(own_service.process.pid, "ServeReplica:fleetmem:Ingress")
    async with blocked_commits(own_service) as connection:
        try:
            first = asyncio.create_task(asyncio.to_thread(post_once, *sending))
            await comes_true(connection, COMMIT_WAITS)
            os.kill(ingress, signal.SIGSTOP)  # it never hears of its COMMIT
            assert await connection.fetchval(STORED, content) is None
            await connection.execute("select pg_advisory_unlock(20, 20)")
            await comes_true(connection, STORED, content)
        finally:
            os.kill(ingress, signal.SIGKILL)
        lost = await first
        assert lost is None or lost.status_code >= 500
        async with asyncio.timeout(60):
            again = await asyncio.to_thread(post_once, *sending)
            while again is None or again.status_code in (500, 503):
                await asyncio.sleep(0.1)
                again = await asyncio.to_thread(post_once, *sending)
        assert (again.status_code, again.headers.get("idempotency-replayed")) == (201, "true")
        assert await connection.fetchval(STORED, content) == [again.json()["id"]]


def test_stopping_leaves_no_process_and_keeps_the_memories(own_service: RunningService) -> None:
    assert own_service.process is not None
    with own_service.client() as client:
        kept = client.post("/v1/memories", json=AGENT | {"content": "This stays"}).json()["id"]
    children = descendants(own_service.process.pid)
    assert own_service.stop(signal.SIGINT) == 0
    # The kernel may still be taking down what was killed a moment ago.
    wait_until(lambda: not [name for pid, name in children.items() if is_alive(pid)], 10)
    own_service.start()
    all_are_there(own_service, [kept])


def test_killing_the_command_ends_everything_it_started(own_service: RunningService) -> None:
    assert own_service.process is not None
    with own_service.client() as client:
        kept = client.post("/v1/memories", json=AGENT | {"content": "This stays, too"}).json()["id"]
    children = descendants(own_service.process.pid)
    own_service.stop(signal.SIGKILL)
    wait_until(lambda: not [name for pid, name in children.items() if is_alive(pid)], 60)
    own_service.start()
    all_are_there(own_service, [kept])
