import json

import httpx
import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.client import ATTEMPTS, BATCH, open_client
from serve_app.evaluation.corpora import Item
from tests.evaluation.service import Service


def ignore(done: int) -> None:
    pass


def busy(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, json={"code": "overloaded"})


def test_items_are_stored_in_batches_and_order() -> None:
    service, seen = Service(), list[int]()
    items = [Item(f"item {n}", f"text {n}") for n in range(BATCH + 2)]
    stored = service.client().load("user", items, True, seen.append)
    assert list(stored.values()) == [item.id for item in items]
    assert [service.kept[key]["content"] for key in stored] == [item.text for item in items]
    assert seen == [BATCH, 2]


def test_sessions_are_told_where_wanted() -> None:
    service = Service()
    for sessions in (True, False):
        service.client().load("user", [Item("a", "text", session="s")], sessions, ignore)
    assert [item.get("session_id") for item in service.stored] == ["s", None]


def test_a_busy_service_is_asked_again_after_what_it_says() -> None:
    waits: list[float] = []
    service = Service(busy(503, **{"Retry-After": "7"}), busy(429), busy(503))
    service.client(waits.append).load("user", [Item("a", "text")], True, ignore)
    assert 7 <= waits[0] <= 10.5
    assert 2 <= waits[1] <= 3, "without a word it waits longer each time"
    assert 4 <= waits[2] <= 6
    keys = {request.headers["Idempotency-Key"] for request in service.requests}
    assert len(service.requests) == 4
    assert len(keys) == 1, "one batch, however often it is sent"


def test_a_service_that_stays_busy_is_an_error() -> None:
    service = Service(*(busy(503) for _ in range(ATTEMPTS)))
    with pytest.raises(ConfigurationError, match="answered 503"):
        service.client().search_all("user", [{"query": "?", "top_k": 1}], ignore)
    assert len(service.requests) == ATTEMPTS


def test_a_refusal_is_an_error_at_once() -> None:
    service = Service(httpx.Response(422, json={"code": "invalid_input"}))
    with pytest.raises(ConfigurationError, match=r"422.*invalid_input"):
        service.client().search_all("user", [{"query": "?", "top_k": 1}], ignore)
    assert len(service.requests) == 1
    with pytest.raises(ConfigurationError, match="1 memories were refused"):
        service.client().load("user", [Item("a", "unwanted")], True, ignore)


def test_answers_stand_in_the_order_of_the_questions() -> None:
    service, done = Service(), list[int]()
    client = service.client()
    stored = client.load("user", [Item(f"{n}", f"text {n}") for n in range(9)], True, ignore)
    searches = [{"query": "?", "top_k": n} for n in range(1, 9)]
    answers = client.search_all("user", searches, done.append)
    assert [len(hits) for hits in answers] == list(range(1, 9))
    assert sum(done) == 8
    assert client.search_all("another", searches[:1], ignore) == [[]]
    client.forget([*stored, "gone"], ignore)
    assert service.kept == {}


def test_a_key_goes_with_every_request(service: Service) -> None:
    with open_client("http://service", "secret") as client:
        client.load("user", [Item("a", "text")], True, ignore)
    [request] = service.requests
    assert request.headers["Authorization"] == "Bearer secret"
    assert json.loads(request.content)["memories"][0]["agent_id"].startswith("evaluation-")


def test_a_dead_service_is_named() -> None:
    with (
        pytest.raises(ConfigurationError, match="start it with `fleetmem up`"),
        open_client("http://127.0.0.1:9") as client,
    ):
        client.load("user", [Item("a", "text")], True, ignore)
