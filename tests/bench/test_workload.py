import json
from collections import Counter
from itertools import islice

import pytest

from bench.workload import (
    list_seeds,
    mixed,
    repeated_searches,
    unique_searches,
    writes,
)
from serve_app.api.requests import MemoryCreate, SearchRequest


def bodies(source, count: int, seed: int = 1) -> list[dict]:
    return [json.loads(request.body) for request in islice(source(seed), count)]


def test_unique_searches_never_ask_twice() -> None:
    assert len({body["query"] for body in bodies(unique_searches, 5000)}) == 5000


def test_repeated_searches_ask_few_questions_under_every_seed() -> None:
    texts = {b["query"] for seed in (1, 2) for b in bodies(repeated_searches, 1000, seed)}
    assert len(texts) == 50


def test_mixed_is_three_searches_for_a_write() -> None:
    paths = Counter(request.path for request in islice(mixed(1), 400))
    assert paths == {"/v1/memories/search": 300, "/v1/memories": 100}


@pytest.mark.parametrize(
    ("source", "shape"),
    [(unique_searches, SearchRequest), (repeated_searches, SearchRequest), (writes, MemoryCreate)],
)
def test_bodies_are_what_the_service_reads(source, shape) -> None:
    for body in bodies(source, 20):
        shape.model_validate(body)


def test_each_scope_that_is_asked_was_seeded_with_5_to_50_memories() -> None:
    sizes = Counter((seed["agent_id"], seed["user_id"]) for seed in list_seeds())
    assert 5 <= min(sizes.values()) < max(sizes.values()) <= 50
    asked = {(body["agent_id"], body["user_id"]) for body in bodies(unique_searches, 3000)}
    assert asked <= set(sizes)
