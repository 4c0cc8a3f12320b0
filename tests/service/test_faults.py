"""kill -9 of Postgres, of a replica, of maintenance: nothing acknowledged is lost, all heals."""

import os
import shutil
import signal
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.service.running import (
    RunningService,
    descendants,
    is_alive,
    open_folder,
    processes_named,
    wait_until,
)

AGENT = {"agent_id": "chaos", "user_id": "monkey"}


@pytest.fixture(scope="module")
def own_service() -> Iterator[RunningService]:
    folder = open_folder()
    running = RunningService(folder, FLEETMEM_SUMMARIZATION_ENABLED="false")
    running.start()
    yield running
    if running.is_running():
        running.stop()
    shutil.rmtree(folder, ignore_errors=True)


class Writer:
    """Light load in a thread: remembers the id of every acknowledged write."""

    def __init__(self, service: RunningService) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[int] = []
        self._service = service
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        number = 0
        while not self._stop.wait(0.02):
            number += 1
            try:
                with self._service.client() as client:
                    body = AGENT | {"content": f"Order {number} was shipped"}
                    answer = client.post("/v1/memories", json=body)
            except httpx.HTTPError:
                self.refused.append(0)
                continue
            if answer.status_code == 201:
                self.acknowledged.append(answer.json()["id"])
            else:
                self.refused.append(answer.status_code)


def writes_go_on(writer: Writer, more: int = 20, seconds: float = 60) -> None:
    before = len(writer.acknowledged)
    wait_until(lambda: len(writer.acknowledged) >= before + more, seconds)


def all_are_there(service: RunningService, ids: list[str]) -> None:
    with service.client() as client:
        missing = [i for i in ids if client.get(f"/v1/memories/{i}").status_code != 200]
    assert missing == []


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
