"""Hand-written questions on the running service: Postgres, the real model, every profile."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from serve_app.evaluation.client import MemoryClient
from serve_app.evaluation.corpora import Item
from serve_app.evaluation.profiles import read_profiles
from tests.service.quality_cases import CASES, EVERY, NOW, Case
from tests.service.running import RunningService

ASKED = [
    pytest.param(
        case,
        profile,
        id=f"{case.name}-{profile}",
        marks=[pytest.mark.xfail(reason=case.limits[profile], strict=True)]
        if profile in case.limits
        else [],
    )
    for case in CASES
    for profile in (*case.passes, *case.limits)
]


def ignore(done: int) -> None:
    pass


@pytest.fixture(scope="module")
def client(service: RunningService) -> Iterator[MemoryClient]:
    """Every case is stored in a scope of its own."""
    with service.client() as http:
        client = MemoryClient(http, "quality")
        stored: list[str] = []
        for case in CASES:
            items = [Item(text, text, NOW - timedelta(days=days)) for text, days in case.memories]
            stored += client.load(case.name, items, True, ignore)
        yield client
        client.forget(stored, ignore)


def ask(client: MemoryClient, case: Case, profile: str) -> list[dict[str, Any]]:
    [fields] = [profile.fields for profile in read_profiles([profile], None)]
    search = {"query": case.question, "as_of": NOW.isoformat(), "explain": True, **fields}
    [hits] = client.search_all(case.name, [search], ignore)
    return hits


@pytest.mark.parametrize(("case", "profile"), ASKED)
def test_what_was_meant_is_found(client: MemoryClient, case: Case, profile: str) -> None:
    hits = ask(client, case, profile)
    found = [hit["content"] for hit in hits]
    assert case.memories[0][0] in found[: case.within], found
    # A tie would be luck.
    place = found.index(case.memories[0][0])
    assert all(hit["score"] < hits[place]["score"] for hit in hits[case.within :])


@pytest.mark.parametrize("profile", EVERY)
def test_a_long_memory_is_found_by_its_best_part(client: MemoryClient, profile: str) -> None:
    [case] = [case for case in CASES if case.name == "the end of a long memory"]
    best = ask(client, case, profile)[0]
    start, end = best["explanation"]["span"]
    assert "The spare key of the boat hangs behind the clock." in best["content"][start:end]
    assert end - start < len(best["content"]) / 2
