"""Two models' vectors in one database: never compared, never a gap, and a way back."""

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from serve_app.core.errors import ConfigurationError, ModelChanged, ModelMismatch
from serve_app.core.memory import Memory, MemoryChanges
from serve_app.core.search import VectorSearch
from serve_app.operations.fill_vectors import fill, switch
from serve_app.storage.model_change import begin_change, clean_up, read_change
from serve_app.storage.model_stamp import require_model
from serve_app.storage.owed_vectors import PostgresOwed
from tests.contracts.samples import SCOPE
from tests.fakes.embedder import FakeEmbedder
from tests.storage.model_site import LATER, NEW, NUMBERED, OLD, SIMILARITY, Site, open_site


@pytest.fixture
async def site(fresh_dsn: str) -> AsyncIterator[Site]:
    async with open_site(fresh_dsn) as site:
        yield site


async def test_a_change_there_and_back_and_its_end(site: Site) -> None:
    kept = await site.add(1, "the cat sleeps on the warm roof of the house behind the mill")
    await site.change()
    assert await site.count("second_set.memory_vectors") == 2
    for embedder in (OLD, NEW):
        assert await site.search("cat", embedder) == [kept]
    late = await site.add(2, "the dog barks")
    await switch(site.owed, NEW, site.meter)
    with pytest.raises(ModelChanged):
        await site.add(3, "too late", OLD)
    after = await site.add(4, "a bird sings", NEW)
    assert {m.id for m in await site.search("dog", NEW)} == {kept.id, late.id, after.id}
    await switch(site.owed, OLD, site.meter)
    assert {m.id for m in await site.search("dog", OLD)} == {kept.id, late.id, after.id}
    await switch(site.owed, NEW, site.meter)
    assert await clean_up(site.owner) == OLD.model
    assert await site.count("public.memory_vectors") == 0
    assert (await site.search("cat", NEW))[0] == kept
    with pytest.raises(ModelChanged):
        await site.search("cat", OLD)
    with pytest.raises(ModelMismatch, match="fleetmem reembed"):
        await require_model(site.owner, OLD.model)
    assert await clean_up(site.owner) is None


async def test_a_set_is_filled_anew_in_the_other_dimension(site: Site) -> None:
    memory = await site.add(1, "the cat")
    await site.change()
    await switch(site.owed, NEW, site.meter)
    await clean_up(site.owner)
    third = FakeEmbedder("third", dimension=128)
    await begin_change(site.owner, third.model, 128)
    await fill(site.owed, third, site.meter)
    await switch(site.owed, third, site.meter)
    assert await site.search("cat", third) == [memory]
    storages = await site.owner.fetch(
        "select attstorage from pg_attribute where attname = 'embedding' and attrelid in "
        "('public.memory_vectors'::regclass, 'second_set.memory_vectors'::regclass)"
    )
    assert [row[0] for row in storages] == [b"p", b"p"]


async def test_what_is_changed_or_forgotten_while_filling_is_so_in_both_sets(site: Site) -> None:
    kept, lost = await site.add(1, "the cat"), await site.add(2, "the dog")
    await begin_change(site.owner, NEW.model, 64)
    read = await site.owed.read(None, 10)
    revised = await site.memories.revise(
        kept, MemoryChanges(content="a horse", importance=0.9), LATER, OLD.chunks("a horse"), "old"
    )
    await site.memories.forget(1, lost.id, None)
    stale = [(memory, NEW.chunks(memory.content)) for memory in read]
    assert await site.owed.store(NEW.model, stale) == 0
    await fill(site.owed, NEW, site.meter)
    assert await site.search("horse", NEW) == [revised]
    rows = await site.owner.fetch("select memory_id, importance from second_set.memory_vectors")
    assert [tuple(row) for row in rows] == [(kept.id, 0.9)]
    await site.memories.revise(revised, MemoryChanges(importance=0.1), LATER, None)
    assert await site.owner.fetchval("select importance from second_set.memory_vectors") == 0.1
    await site.memories.forget(1, kept.id, None)
    assert await site.count("second_set.memory_vectors") == 0
    assert await site.count("public.memory_vectors") == 0


async def test_a_switch_under_writes_leaves_no_gap(site: Site) -> None:
    for number in range(20):
        await site.add(number, f"memory {number}")
    await begin_change(site.owner, NEW.model, 64)
    active, written = OLD, list(range(20))

    async def write() -> None:
        nonlocal active
        last = len(NUMBERED)
        for number in range(20, last):
            if number == last:
                return
            try:
                await site.add(number, f"memory {number}", active)
            except ModelChanged:
                active, last = NEW, number + 20
                await site.add(number, f"memory {number}", active)
            written.append(number)
            if active is NEW:
                found = await site.search(f"memory {number}", NEW)
                assert NUMBERED[number].id in {memory.id for memory in found}
            else:
                found = await site.search_as_stale("memory")
                assert len(found) == min(50, len(written))

    writing = asyncio.create_task(write())
    await switch(site.owed, NEW, site.meter)
    await writing
    assert active is NEW
    found = {m.id for start in range(0, 120, 40) for m in await site.search(f"memory {start}", NEW)}
    assert found
    assert await site.count("second_set.memory_vectors") == len(written)


async def test_an_unfinished_change_is_gone_on_with_and_no_other_begun(site: Site) -> None:
    await site.add(1, "the cat")
    await begin_change(site.owner, NEW.model, 64)
    assert await begin_change(site.owner, NEW.model, 64) == 1
    with pytest.raises(ConfigurationError, match="--clean-up"):
        await begin_change(site.owner, "third", 64)
    with pytest.raises(ConfigurationError, match="already"):
        await begin_change(site.owner, OLD.model, 384)
    change = await read_change(site.owner)
    assert change is not None
    assert (change.active, change.other, change.total, change.owed) == ("old", "new", 1, 1)
    assert await clean_up(site.owner) == NEW.model
    assert await read_change(site.owner) is None


async def test_one_filler_at_a_time(site: Site, fresh_dsn: str) -> None:
    second = await asyncpg.connect(fresh_dsn)
    async with site.owed.only_filler() as first, PostgresOwed(second).only_filler() as other:
        assert (first, other) == (True, False)
    async with PostgresOwed(second).only_filler() as other:
        assert other
    await second.close()


async def test_mixed_searches_see_their_own_models_vectors_alone(site: Site) -> None:
    await site.change()
    memory = await site.add(1, "the cat")
    with pytest.raises(ModelChanged):
        await site.search("cat", NEW)
    await fill(site.owed, NEW, site.meter)
    await site.owner.execute("delete from second_set.memory_vectors")
    asked = [
        VectorSearch(SCOPE, e.vector("cat"), 5, SIMILARITY, LATER, model=e.model)
        for e in (NEW, OLD, NEW, OLD)
    ]
    found = await site.memories.search_many(asked)
    assert [[c.memory.id for c in candidates] for candidates in found] == [[], [memory.id]] * 2
    unknown = VectorSearch(SCOPE, OLD.vector("cat"), 5, SIMILARITY, LATER, model="third")
    with pytest.raises(ModelChanged):
        await site.memories.search(unknown)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_a_search_sees_its_own_models_vectors(site: Site, seed: int) -> None:
    """A walk through changes; every search is held to an exact one by the model that asks."""
    chance = random.Random(seed)
    contents: dict[UUID, Memory] = {}
    numbers = iter(range(200))
    models = {"old": (OLD, 384), "new": (NEW, 64)}
    present = [OLD.model]

    def active() -> FakeEmbedder:
        return models[present[0]][0]

    async def write() -> None:
        number = next(numbers)
        text = " ".join(chance.choices(["cat", "dog", "mill", "roof", "river", "bird"], k=12))
        memory = await site.add(number, text, active())
        contents[memory.id] = memory

    async def rewrite() -> None:
        before = chance.choice(list(contents.values()))
        text, by = f"rewritten {next(numbers)} river", active()
        changes = MemoryChanges(content=text)
        contents[before.id] = await site.memories.revise(
            before, changes, LATER, by.chunks(text), by.model
        )

    async def lose() -> None:
        memory_id = chance.choice(list(contents))
        await site.memories.forget(1, memory_id, None)
        del contents[memory_id]

    async def begin() -> None:
        other = next(name for name in models if name != present[0])
        await begin_change(site.owner, other, models[other][1])

    async def fill_some() -> None:
        other = await site.owed.other_model()
        if other is not None:
            await fill(site.owed, models[other][0], site.meter)

    async def cut_over() -> None:
        other = await site.owed.other_model()
        if other is not None:
            await switch(site.owed, models[other][0], site.meter)
            present[0] = other

    async def end() -> None:
        await clean_up(site.owner)

    steps = [write, write, write, rewrite, lose, begin, fill_some, cut_over, cut_over, end]
    for _ in range(60):
        step = chance.choice(steps) if contents else write
        await step()
        for embedder, _dimension in models.values():
            await _hold(site, embedder, contents, embedder.model == present[0])


async def _hold(
    site: Site, embedder: FakeEmbedder, contents: dict[UUID, Memory], is_active: bool
) -> None:
    asked = VectorSearch(
        SCOPE, embedder.vector("cat river"), 50, SIMILARITY, LATER, model=embedder.model
    )
    try:
        found = await site.memories.search(asked)
    except ModelChanged:
        assert not is_active
        return
    assert {candidate.memory.id for candidate in found} == set(contents)
    for candidate in found:
        chunks = embedder.chunks(candidate.memory.content)
        exact = max(float(chunk.vector @ asked.vector) for chunk in chunks)
        assert candidate.similarity == pytest.approx(exact, abs=2e-3)
