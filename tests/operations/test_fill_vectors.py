"""What is filled, what stays owed, and when the models are switched."""

from itertools import count

import pytest

from serve_app.core.errors import EmbeddingUnavailable, Unavailable
from serve_app.operations import fill_vectors
from serve_app.operations.fill_vectors import MOST_FAILURES, MOST_UNDER_LOCK, fill, switch
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.meter import RecordingMeter
from tests.fakes.owed import InMemoryOwed

REFUSED = EmbeddingUnavailable.code


class Site:
    """Two models' vectors, of which the new one's are owed; texts are named by their numbers."""

    def __init__(self) -> None:
        self.owed = InMemoryOwed("old", "new")
        self.embedder = FakeEmbedder("new", chunk_characters=20)
        self.meter = RecordingMeter()

    def write(self, *numbers: int) -> None:
        for number in numbers:
            self.owed.write(number, f"text {number}")

    def refuse(self, *numbers: int) -> None:
        self.write(*numbers)
        self.embedder.refused |= {f"text {number}" for number in numbers}

    async def fill(self) -> int:
        return await fill(self.owed, self.embedder, self.meter)

    async def switch(self) -> None:
        await switch(self.owed, self.embedder, self.meter)

    @property
    def left(self) -> list[int]:
        """The numbers of what is owed."""
        return sorted(memory_id.int for _, memory_id in self.owed.places)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(fill_vectors, "BATCH", 2)
    return Site()


async def test_everything_is_filled_with_all_its_chunks(site: Site) -> None:
    site.write(1, 2, 3)
    long = site.owed.write(4, "a text that is cut in two", tenant_id=2)
    assert await site.fill() == 4
    assert site.left == []
    assert len(site.owed.vectors) == 4
    assert [(chunk.start, chunk.end) for chunk in site.owed.vectors[long]] == [(0, 20), (20, 25)]
    assert site.meter.total("reembed_memories_filled") == 4
    assert site.meter.gauges["reembed_memories_owed", ()] == 0
    assert await site.fill() == 0
    assert len(site.embedder.embedded) == 4


async def test_how_fast_it_goes_is_noted_for_each_batch(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = count(0.0, 0.5)
    monkeypatch.setattr(fill_vectors, "monotonic", lambda: next(ticks))
    site.write(1, 2, 3)
    await site.fill()
    assert site.owed.notes == [(4.0, None), (2.0, None)]


async def test_a_clock_that_stands_gives_no_endless_pace(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill_vectors, "monotonic", lambda: 7.0)
    site.write(1, 2)
    await site.fill()
    assert site.owed.notes == [(2000.0, None)]


async def test_a_text_that_cannot_be_embedded_is_passed_over_and_stays_owed(site: Site) -> None:
    site.write(1, 3, 4)
    site.refuse(2)
    assert await site.fill() == 3
    assert site.left == [2]
    assert [error for _, error in site.owed.notes] == [REFUSED, None]
    assert site.meter.gauges["reembed_memories_owed", ()] == 1
    site.embedder.refused.clear()
    assert await site.fill() == 1
    assert site.left == []


async def test_a_pass_ends_where_one_batch_after_another_fails(site: Site) -> None:
    site.refuse(*range(2 * MOST_FAILURES))
    site.write(90)
    assert await site.fill() == 0
    assert len(site.owed.notes) == MOST_FAILURES
    assert 90 in site.left


async def test_a_batch_of_which_some_was_filled_is_no_failure(site: Site) -> None:
    refused = [number for number in range(30) if number not in (3, 8, 13, 18, 23, 28)]
    site.refuse(*refused)
    site.write(3, 8, 13, 18, 23, 28)
    assert await site.fill() == 6
    assert site.left == refused


async def test_what_is_changed_while_it_is_embedded_stays_owed(site: Site) -> None:
    site.write(1, 2)

    async def rewrite() -> None:
        site.owed.write(1, "another text")
        site.embedder.interrupt = None

    site.embedder.interrupt = rewrite
    assert await site.fill() == 1
    assert site.left == [1]
    assert site.meter.total("reembed_memories_filled") == 1
    assert [error for _, error in site.owed.notes] == [None]


async def test_batches_that_were_all_changed_meanwhile_are_no_failures(site: Site) -> None:
    numbers = range(2 * MOST_FAILURES + 2)
    site.write(*numbers)

    async def rewrite() -> None:
        for number in numbers:
            site.owed.write(number, f"text {number} {len(site.owed.notes)}")

    site.embedder.interrupt = rewrite
    assert await site.fill() == 0
    assert len(site.owed.notes) == MOST_FAILURES + 1


async def test_without_the_embedder_nothing_is_filled_and_the_caller_is_told(site: Site) -> None:
    site.write(1)
    site.embedder.down = True
    with pytest.raises(EmbeddingUnavailable):
        await site.fill()
    assert site.left == [1]


async def test_a_switch_fills_what_is_owed_first(site: Site) -> None:
    site.write(1, 2, 3)
    await site.switch()
    assert (site.owed.active, site.left) == ("new", [])
    assert len(site.owed.vectors) == 3


async def test_what_comes_before_the_standstill_is_filled_in_it(site: Site) -> None:
    site.owed.interrupt = lambda: site.write(*range(MOST_UNDER_LOCK))
    await site.switch()
    assert (site.owed.active, site.left) == ("new", [])
    assert site.owed.standstills == 1


async def test_when_too_much_comes_writers_go_on_and_it_is_tried_again(site: Site) -> None:
    numbers = iter([range(MOST_UNDER_LOCK + 1), range(100, 102)])
    site.owed.interrupt = lambda: site.write(*next(numbers))
    await site.switch()
    assert (site.owed.active, site.left) == ("new", [])
    assert site.owed.standstills == 2


async def test_writers_who_are_always_faster_keep_the_old_model(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill_vectors, "SWITCH_ATTEMPTS", 3)
    numbers = count(1, 100)

    def write_much() -> None:
        first = next(numbers)
        site.write(*range(first, first + MOST_UNDER_LOCK + 1))

    site.owed.interrupt = write_much
    with pytest.raises(Unavailable, match="faster than they are embedded"):
        await site.switch()
    assert (site.owed.active, site.owed.standstills) == ("old", 3)


async def test_a_memory_that_cannot_be_embedded_keeps_the_old_model(site: Site) -> None:
    site.write(1)
    site.refuse(2)
    with pytest.raises(Unavailable, match=f"embedded with new: {REFUSED}"):
        await site.switch()
    assert (site.owed.active, site.owed.standstills) == ("old", 1)
    assert site.left == [2]


async def test_one_that_is_forgotten_meanwhile_stops_no_switch(site: Site) -> None:
    site.refuse(1)
    [place] = site.owed.places

    async def forget() -> None:
        if site.owed.standstills:
            site.owed.forget(place)

    site.embedder.interrupt = forget
    await site.switch()
    assert site.owed.active == "new"
