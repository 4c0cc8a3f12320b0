"""Another model under load: no search fails, each is answered wholly by one model; and back.

Whoever fills is killed meanwhile.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx

from serve_app.local.postgres import find_running
from serve_app.storage.owed_vectors import FILLER_LOCK
from tests.service.running import RunningService, ask, processes_named, wait_until

INT8 = "sentence-transformers/all-MiniLM-L6-v2@int8"
PLACES = ("roof", "river", "market", "office", "garden", "station", "harbour", "library")
BEASTS = ("cat", "dog", "horse", "heron", "mouse")
QUESTIONS = [f"what does the {beast} do" for beast in BEASTS]
IS_STORING = """
select exists (select from pg_stat_activity
               where wait_event_type = 'Lock' and query like 'select fill\\_vectors%')"""


def reembed(service: RunningService, *options: str) -> str:
    command = [sys.executable, "-m", "serve_app", "reembed", *options]
    command += ["--data-dir", str(service.data_directory)]
    done = subprocess.run(
        command, env=os.environ | service.settings, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


async def begin_and_kill_filler(service: RunningService) -> None:
    """Begin the change, and kill -9 Maintenance between its first batch's embedding and commit."""
    connection = await asyncpg.connect(find_running(service.data_directory))
    await connection.execute("select pg_advisory_lock($1)", FILLER_LOCK)
    await asyncio.to_thread(reembed, service, "--to", INT8)
    async with connection.transaction():
        await connection.execute("lock table second_set.memory_vectors in exclusive mode")
        await connection.execute("select pg_advisory_unlock($1)", FILLER_LOCK)
        await asyncio.to_thread(wait_until, lambda: ask(service, IS_STORING) is True, 30)
        assert service.process is not None
        [filler] = processes_named(service.process.pid, "Maintenance")
        os.kill(filler, signal.SIGKILL)
    await connection.close()


class Load:
    """Runs `job` again and again in a thread; `done` is what each run returned."""

    def __init__(self, service: RunningService, job: Callable[[httpx.Client, int], object]) -> None:
        self.done: list[object] = []
        self.error: BaseException | None = None
        self._service = service
        self._job = job
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._service.client() as client:
                while not self._stop.wait(0.05):
                    self.done.append(self._job(client, len(self.done)))
        except BaseException as error:
            self.error = error

    def goes_on(self, more: int = 5) -> None:
        """Return after some more runs that began from now on."""
        before = len(self.done)
        wait_until(lambda: len(self.done) > before + more or self.error is not None, 30)
        assert self.error is None, repr(self.error)


def search(client: httpx.Client, scope: dict[str, str], question: str) -> list[str]:
    body = scope | {"query": question, "alpha": 1.0, "top_k": 10}
    answer = client.post("/v1/memories/search", json=body)
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.json()["results"]]


def test_there_and_back_under_load(service: RunningService, tmp_path: Path) -> None:
    # What is not episodic is never folded into a summary meanwhile.
    scope = {"agent_id": f"reembed-{uuid4()}", "user_id": "reader"}
    lasting = scope | {"memory_type": "semantic"}
    writing = scope | {"user_id": "writer"}
    with service.client() as client:
        contents = [f"The {beast} rests at the {place}" for beast in BEASTS for place in PLACES]
        for content in contents:
            client.post("/v1/memories", json=lasting | {"content": content}).raise_for_status()
        old = {question: search(client, scope, question) for question in QUESTIONS}

    questions = tmp_path / "questions.jsonl"
    lines = [json.dumps(scope | {"question": question}) for question in QUESTIONS]
    questions.write_text("\n".join(lines), "utf-8")

    def ask_one(client: httpx.Client, number: int) -> tuple[str, list[str]]:
        question = QUESTIONS[number % len(QUESTIONS)]
        return question, search(client, scope, question)

    def write_and_find(client: httpx.Client, number: int) -> None:
        content = f"Parcel {number} left the depot"
        answer = client.post("/v1/memories", json=writing | {"content": content})
        assert answer.status_code == 201, answer.text
        assert answer.json()["id"] in search(client, writing, content)

    with Load(service, ask_one) as asking, Load(service, write_and_find) as writer:
        asyncio.run(begin_and_kill_filler(service))
        wait_until(lambda: ask(service, "select count(*) < 8 from vectors_owed") is True, 60)
        told = reembed(service, "--compare", "5", "--queries", str(questions), "--cut-over")
        assert "are the same by both models" in told
        assert ask(service, "select name from embedding_model") == INT8
        for load in (asking, writer):
            load.goes_on()
        with service.client() as client:
            # The ingress has followed: a write by the old model is refused.
            new = {question: search(client, scope, question) for question in QUESTIONS}
        assert "Dropped" in reembed(service, "--back", "--clean-up")
        for load in (asking, writer):
            load.goes_on()
    answers = [answer for answer in asking.done if isinstance(answer, tuple)]
    assert len(answers) > 20
    # Each finds what one of the two models finds: never less, and no third thing.
    assert all(found in (old[question], new[question]) for question, found in answers)
    assert answers[-1][1] == old[answers[-1][0]]
    assert ask(service, "select count(*) from second_set.memory_vectors") == 0
