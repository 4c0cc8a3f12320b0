"""Whatever is sent gets its documented answer, and the service is well afterwards."""

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from serve_app.api.errors import ANSWERS
from tests.service.hostile_doors import DOORS
from tests.service.hostile_once import AFTERWARDS, FIRST, KEYED
from tests.service.hostile_requests import (
    HAPROXY,
    HOSTILE,
    INJECTIONS,
    OK,
    PARSER,
    QUESTION,
    SEARCH,
    WHOSE,
    Hostile,
)
from tests.service.raw_http import Answer, ask, exchange, read_answer, send
from tests.service.running import RunningService

EVERYTHING = HOSTILE + DOORS + KEYED
PROMISED = {
    "x-content-type-options": ["nosniff"],
    "x-frame-options": ["DENY"],
    "cache-control": ["no-store"],
}


class Slow:
    """A caller who says so much, and then nothing more; `answer` waits for what he gets."""

    def __init__(self, port: int, begin: bytes) -> None:
        self._answers: list[Answer] = []
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=25)
        self._connection.sendall(begin)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def answer(self) -> Answer:
        self._thread.join()
        [answer] = self._answers
        return answer

    def _listen(self) -> None:
        with self._connection, self._connection.makefile("rb") as received:
            self._answers.append(read_answer(received))


@pytest.fixture(scope="module", autouse=True)
def slow_body(service: RunningService) -> Slow:
    """Begun before all else, so that its time passes while the others are answered."""
    whole = send("POST", SEARCH, QUESTION)
    return Slow(service.port, whole[:-5])


@pytest.fixture(scope="module", autouse=True)
def slow_headers(service: RunningService) -> Slow:
    return Slow(service.port, b"GET /livez HTTP/1.1\r\nHost: local")


@pytest.fixture(scope="module", autouse=True)
def silent(service: RunningService) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=25) as connection:
        yield connection


def require_health(port: int) -> None:
    assert exchange(port, ask("GET", "/readyz")).status == 200
    found = exchange(port, send("POST", SEARCH, QUESTION))
    assert (found.status, found.document()["query"]) == (200, "tea")


def name_code(answer: Answer) -> str:
    """The problem's code, or who else has answered."""
    [kind] = answer.headers["content-type"]
    if kind == "application/problem+json":
        return answer.document()["code"]
    if kind == "text/html" or answer.body.startswith(b"Path '"):
        return HAPROXY
    return PARSER if answer.body == b"Invalid HTTP request received." else OK


@pytest.mark.parametrize("hostile", EVERYTHING, ids=lambda hostile: hostile.name)
def test_it_is_answered_as_documented(service: RunningService, hostile: Hostile) -> None:
    answer = exchange(service.port, hostile.request)
    assert (answer.status, name_code(answer)) == (hostile.status, hostile.code), answer.body[:300]
    if hostile.code not in (HAPROXY, PARSER):
        assert {name: answer.headers.get(name) for name in PROMISED} == PROMISED
        [request_id] = answer.headers["x-request-id"]
        assert answer.status < 400 or answer.document()["request_id"] == request_id
    require_health(service.port)


@pytest.mark.parametrize("name", AFTERWARDS)
def test_a_key_that_was_used_is_answered_as_documented(service: RunningService, name: str) -> None:
    request, (status, told) = AFTERWARDS[name]
    key = str(uuid4()).encode()
    first = exchange(service.port, FIRST.replace(b"{key}", key))
    assert first.status == 201
    stored = first.document()["id"].encode()
    answer = exchange(service.port, request.replace(b"{key}", key).replace(b"{id}", stored))
    replayed = answer.headers.get("idempotency-replayed") == ["true"]
    assert (answer.status, "replayed" if replayed else name_code(answer)) == (status, told)
    assert not replayed or answer.body == first.body
    assert exchange(service.port, ask("GET", f"/v1/memories/{stored.decode()}")).status == 200
    require_health(service.port)


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_is_stored_comes_back_letter_by_letter(service: RunningService, text: str) -> None:
    with service.client() as client:
        body = {"agent_id": text, "user_id": text, "content": text}
        stored = client.post("/v1/memories", json=body)
        assert stored.status_code == 201
        [listed] = client.get("/v1/memories", params={"agent_id": text}).json()["results"]
        question = {"agent_id": text, "user_id": text, "query": text}
        found = client.post("/v1/memories/search", json=question).json()
        read = client.get(f"/v1/memories/{stored.json()['id']}", params={"agent_id": text}).json()
    for memory in (stored.json(), listed, found["results"][0], read):
        assert (memory["agent_id"], memory["user_id"], memory["content"]) == (text, text, text)
    assert found["query"] == text
    require_health(service.port)


def test_a_hundred_who_leave_in_the_middle_harm_nobody(service: RunningService) -> None:
    begun = send("POST", SEARCH, QUESTION)
    for number in range(100):
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(begun[: len(begun) - number])
    require_health(service.port)


def test_a_body_that_looks_like_a_request_is_a_body(service: RunningService) -> None:
    inner = ask("GET", "/metrics")
    first = ask("GET", "/livez", b"Content-Length: %d" % len(inner))
    first = first.replace(b"Connection: close\r\n", b"")
    with socket.create_connection(("127.0.0.1", service.port), timeout=25) as connection:
        connection.sendall(first + inner + ask("GET", "/v1/memories/count"))
        with connection.makefile("rb") as received:
            answers = [read_answer(received) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 422, 0]


def test_the_agents_of_others_are_not_found(service: RunningService) -> None:
    """The 404 of another agent's memory is that of no memory, but for the request's id."""
    with service.client() as client:
        mine = client.post("/v1/memories", json={**WHOSE, "content": "mine"}).json()["id"]
        nobody = "01890000-0000-7000-8000-000000000000"
        told = [
            client.get(
                f"/v1/memories/{memory}",
                params={"agent_id": "another"},
                headers={"x-request-id": "the-same"},
            )
            for memory in (mine, nobody)
        ]
    assert [answer.status_code for answer in told] == [404, 404]
    assert told[0].content == told[1].content


def test_who_sends_his_headers_slowly_is_not_waited_for(
    service: RunningService, slow_headers: Slow
) -> None:
    assert slow_headers.answer().status == 408
    require_health(service.port)


def test_a_connection_that_is_kept_in_store_is_closed_without_a_word(
    silent: socket.socket,
) -> None:
    assert silent.recv(1) == b""


def test_who_sends_his_body_slowly_is_not_waited_for(
    service: RunningService, slow_body: Slow
) -> None:
    answer = slow_body.answer()
    assert (answer.status, name_code(answer)) == (408, "body_too_slow")
    require_health(service.port)


def test_who_else_answers_is_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "errors.md"
    section = page.read_text().split("## Answers that are not ours\n")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| (\d+) \| (?:the )?(\w+) \|", section, re.MULTILINE))
    seen = {(str(h.status), h.code) for h in EVERYTHING if h.code in (HAPROXY, PARSER)}
    assert seen <= documented


def test_what_is_promised_is_what_the_table_of_errors_says() -> None:
    statuses = {error.code: answer.status for error, answer in ANSWERS.items()}
    ours = {(h.code, h.status) for h in EVERYTHING if h.code not in (OK, HAPROXY, PARSER)}
    assert ours <= statuses.items()
    assert {h.status for h in EVERYTHING if h.code == OK} == {200, 201}
