import asyncio

import numpy as np
import pytest

from serve_app.embedding import shared_cache
from serve_app.embedding.shared_cache import (
    LATE_TIMES,
    LOOK_UP_NAMES,
    REST_SECONDS,
    UNSAVED_VECTORS,
    SharedCache,
)
from tests.fakes.vector_store import InMemoryVectorStore
from tests.operations.fleet import Clock

VECTOR = np.array([0.6, 0.0, 0.8], np.float32)


@pytest.fixture(autouse=True)
def patience(monkeypatch) -> None:
    """A busy machine is not a store that hangs."""
    monkeypatch.setattr(shared_cache, "ANSWER_SECONDS", 30)


@pytest.fixture
def hurry(monkeypatch) -> None:
    monkeypatch.setattr(shared_cache, "ANSWER_SECONDS", 0.001)


@pytest.fixture
def store() -> InMemoryVectorStore:
    return InMemoryVectorStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cache(store, meter, clock) -> SharedCache:
    """A cache whose store has been reached."""
    cache = SharedCache(store, 3, meter, clock)
    assert await cache.find(["the first caller does not wait"]) == {}
    await settle(cache)
    return cache


async def settle(cache) -> None:
    """Return when nothing goes on in the background."""
    await asyncio.gather(*cache._tasks.values())


@pytest.fixture
def count(meter):
    return lambda outcome: meter.total("embedding_shared_cache", outcome=outcome)


async def test_finds_what_was_kept(cache, count):
    cache.keep({"a": VECTOR, "b": VECTOR[::-1]})
    await settle(cache)
    found = await cache.find(["b", "unknown", "a"])
    assert {name: vector.tolist() for name, vector in found.items()} == {
        "a": VECTOR.tolist(),
        "b": VECTOR[::-1].tolist(),
    }
    assert found["a"].dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        found["a"][0] = 1
    assert (count("kept"), count("hit"), count("miss")) == (2, 2, 1)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        VECTOR.tobytes()[:-1],
        VECTOR.tobytes() + bytes(4),
        VECTOR.astype("<f8").tobytes(),
        (2 * VECTOR).tobytes(),
        bytes(12),
        np.full(3, np.nan, np.float32).tobytes(),
    ],
)
async def test_what_is_no_unit_vector_of_the_model_is_never_trusted(cache, store, count, value):
    store.values |= {"wrong": value, "right": VECTOR.tobytes()}
    assert list(await cache.find(["wrong", "right"])) == ["right"]
    assert (count("invalid"), count("hit"), count("miss")) == (1, 1, 0)


async def test_before_the_store_is_reached_nobody_waits_for_it(store, meter, clock, count):
    store.gate.clear()
    cache = SharedCache(store, 3, meter, clock)
    cache.keep({"a": VECTOR})
    for _ in range(3):
        assert await cache.find(["a"]) == {}
        await asyncio.sleep(0)
    assert (store.opened, store.looked_up, count("skipped")) == (1, [], 3)
    store.gate.set()
    await settle(cache)
    assert store.values == {}
    assert await cache.find(["a"]) == {}
    assert store.looked_up == [["a"]]


async def test_a_store_that_fails_is_left_alone_for_a_while(cache, store, clock, count):
    store.down = True
    assert await cache.find(["a", "b"]) == {}
    assert count("failed") == 2
    asked = len(store.looked_up)
    clock.now += REST_SECONDS - 0.1
    await cache.find(["a"])
    await settle(cache)
    assert (len(store.looked_up), store.opened, count("skipped")) == (asked, 1, 2)
    clock.now += 0.2
    await cache.find(["a"])
    await settle(cache)
    assert (store.opened, count("unreachable")) == (2, 1)
    store.down = False
    clock.now += REST_SECONDS
    await cache.find(["a"])
    await settle(cache)
    store.values["a"] = VECTOR.tobytes()
    assert list(await cache.find(["a"])) == ["a"]


@pytest.mark.usefixtures("hurry")
async def test_a_store_that_hangs_costs_a_short_while_and_then_nothing(cache, store, clock, count):
    store.gate.clear()
    for _ in range(LATE_TIMES):
        clock.now += 0.02
        assert await cache.find(["slow"]) == {}
    assert count("failed") == LATE_TIMES
    assert await cache.find(["slow"]) == {}
    assert (count("failed"), count("skipped")) == (LATE_TIMES, 2)
    assert store.looked_up == [["slow"]], "the others had left before it could be asked for them"
    store.gate.set()


@pytest.mark.usefixtures("hurry")
async def test_many_who_give_up_together_are_one_time(cache, store, count):
    store.gate.clear()
    await asyncio.gather(*(cache.find(["slow"]) for _ in range(10 * LATE_TIMES)))
    await cache.find(["slow"])
    assert (count("failed"), count("skipped")) == (10 * LATE_TIMES + 1, 1)
    store.gate.set()


async def test_an_error_that_nobody_waited_for_counts_too(cache, store, count, monkeypatch):
    monkeypatch.setattr(shared_cache, "ANSWER_SECONDS", 0.001)
    store.gate.clear()
    await cache.find(["slow"])
    store.down = True
    store.gate.set()
    await settle(cache)
    await cache.find(["slow"])
    assert (count("failed"), count("skipped")) == (1, 2)


async def test_single_late_answers_do_not_add_up(cache, store, clock, count, monkeypatch):
    store.values["a"] = VECTOR.tobytes()
    for _ in range(LATE_TIMES + 1):
        store.gate.clear()
        monkeypatch.setattr(shared_cache, "ANSWER_SECONDS", 0.001)
        clock.now += 0.02
        assert await cache.find(["a"]) == {}
        store.gate.set()
        await settle(cache)
        monkeypatch.setattr(shared_cache, "ANSWER_SECONDS", 30)
        assert list(await cache.find(["a"])) == ["a"]
    assert count("skipped") == 1


async def test_concurrent_look_ups_leave_together(cache, store):
    store.values |= {"b": VECTOR.tobytes(), "d": VECTOR.tobytes()}
    store.gate.clear()
    many = [f"n{number}" for number in range(LOOK_UP_NAMES - 1)]
    calls = (["a"], ["b", "c"], ["d"], many, ["e"])
    tasks = [asyncio.create_task(cache.find(names)) for names in calls]
    leaver = asyncio.create_task(cache.find(["nobody waits"]))
    await store.asked.wait()
    leaver.cancel()
    store.gate.set()
    found = await asyncio.gather(*tasks)
    assert [list(vectors) for vectors in found] == [[], ["b"], ["d"], [], []]
    assert store.looked_up == [["a", "b", "c", "d"], [*many, "e"]]


async def test_what_waits_to_be_kept_is_bounded(cache, store, count):
    store.gate.clear()
    cache.keep({f"a{number}": VECTOR for number in range(UNSAVED_VECTORS + 7)})
    assert count("dropped") == 7
    cache.keep({"one more": VECTOR})
    assert count("dropped") == 8
    store.gate.set()
    await settle(cache)
    assert count("kept") == len(store.values) == UNSAVED_VECTORS


async def test_a_store_that_cannot_keep_is_left_alone(cache, store, count):
    store.down = True
    cache.keep({f"a{number}": VECTOR for number in range(500)})
    await settle(cache)
    assert 0 < count("dropped") < 500
    assert await cache.find(["a1"]) == {}
    assert count("skipped") == 2
    assert not cache._unsaved
