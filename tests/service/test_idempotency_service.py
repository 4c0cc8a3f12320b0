"""Idempotency-Key and dedupe over the whole service: what is sent together is stored once."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import httpx

from tests.service.running import RunningService, ask

CALLERS = 20
STORED = "select array_agg(id::text) from memories where content = $1"


def paying(content: str) -> dict[str, str]:
    return {"agent_id": "clerk", "user_id": "payer", "content": content}


def test_twenty_parallel_posts_under_one_key_make_one_row(service: RunningService) -> None:
    key, content = {"Idempotency-Key": str(uuid4())}, f"Paid invoice {uuid4()}"
    together = Barrier(CALLERS)

    def insist(_: int) -> httpx.Response:
        with service.client() as client:
            together.wait(20)
            for _ in range(10):
                answer = client.post("/v1/memories", json=paying(content), headers=key)
                if answer.status_code != 409:
                    return answer
                assert answer.json()["code"] == "idempotency_key_in_use"
                time.sleep(int(answer.headers["retry-after"]))
        raise AssertionError("the key stayed in use")

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(insist, range(CALLERS)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer.headers.get("idempotency-replayed") for answer in answers]
    assert sorted(replayed, key=str) == [None, *["true"] * (CALLERS - 1)]
    assert ask(service, STORED, content) == [answers[0].json()["id"]]


def test_another_body_under_the_key_is_refused_and_not_stored(service: RunningService) -> None:
    key, content = {"Idempotency-Key": str(uuid4())}, f"Paid invoice {uuid4()}"
    with service.client() as client:
        first = client.post("/v1/memories", json=paying(content), headers=key)
        other = client.post("/v1/memories", json=paying(content + " twice"), headers=key)
    assert first.status_code == 201
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert ask(service, STORED, content) == [first.json()["id"]]
    assert ask(service, STORED, content + " twice") is None


def test_twenty_parallel_posts_that_ask_to_dedupe_make_one_row(service: RunningService) -> None:
    content, together = f"Paid invoice {uuid4()}", Barrier(CALLERS)

    def post(number: int) -> httpx.Response:
        body = paying(content) | {"dedupe": True, "importance": number / CALLERS}
        with service.client() as client:
            together.wait(20)
            return client.post("/v1/memories", json=body)

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(post, range(CALLERS)))
    assert sorted(answer.status_code for answer in answers) == [200] * (CALLERS - 1) + [201]
    assert len({answer.content for answer in answers}) == 1
    assert ask(service, STORED, content) == [answers[0].json()["id"]]
