from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from serve_app.core.errors import (
    DatabaseUnavailable,
    EmbeddingUnavailable,
    FleetmemError,
    InvalidInput,
    ModelChanged,
    QuotaExceeded,
)
from serve_app.core.memory import EmbeddedMemory, Kind, Memory, MemoryDraft, Scope
from serve_app.core.usage import Quota
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.ports import Outcomes
from serve_app.operations.remember import remember, remember_many
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.memories import InMemoryMemories
from tests.fakes.models import OneModel
from tests.fakes.once import InMemoryOnce
from tests.fakes.world import SCOPE, World

KEY = IdempotencyKey(1, "key", b"digest")


class ChangedMemories(InMemoryMemories):
    """Rain came before the model was changed, all else is late with vectors of the old one."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    async def add(self, memories: Sequence[EmbeddedMemory]) -> list[Memory | FleetmemError]:
        self.asked.append([row.memory.content for row in memories])
        return [
            ModelChanged("changed")
            if row.model == "old" and row.memory.content != "rain"
            else self.insert(row)
            for row in memories
        ]


class ChangedOnce(InMemoryOnce):
    """As ChangedMemories, but as one transaction."""

    async def add(
        self, key: IdempotencyKey, memories: Mapping[int, EmbeddedMemory], size: int
    ) -> Outcomes:
        if any(row.model == "old" for row in memories.values()):
            raise ModelChanged("changed")
        return await super().add(key, memories, size)


def models_of(present: str, after: str) -> OneModel:
    """Models of which a refresh finds the other one."""
    models = OneModel(FakeEmbedder(present))
    models.next = FakeEmbedder(after)
    return models


def draft(content: str, scope: Scope = SCOPE) -> MemoryDraft:
    return MemoryDraft(scope, content)


async def test_what_is_returned_is_stored() -> None:
    world = World()
    draft = MemoryDraft(SCOPE, "rain", Kind.PROCEDURAL, 0.9)
    memory = (await remember(world.ports, draft)).memory
    assert memory == await world.memories.get(1, memory.id)
    assert (memory.content, memory.kind, memory.importance) == ("rain", Kind.PROCEDURAL, 0.9)
    assert memory.created_at == memory.updated_at == memory.occurred_at == world.now
    row = world.memories.rows[memory.id]
    assert row.model == world.embedder.model
    [chunk] = row.chunks
    assert (chunk.start, chunk.end) == (0, len("rain"))
    assert np.array_equal(chunk.vector, world.embedder.vector("rain"))
    assert world.meter.total("memory_operations", operation="create") == 1
    assert world.embedder.tenants == [SCOPE.tenant_id]


async def test_what_is_there_already_is_told_and_not_counted() -> None:
    world = World()
    first = (await remember(world.ports, draft("rain"))).memory
    again = await remember(world.ports, replace(draft("rain"), dedupe=True))
    assert again == Written(first, was_there=True)
    assert await world.memories.count(SCOPE) == 1
    assert world.meter.total("memory_operations", operation="create") == 1


async def test_the_past_can_be_written_down() -> None:
    world = World()
    then = world.now
    world.advance(days=30)
    draft = MemoryDraft(SCOPE, "rain", occurred_at=then)
    memory = (await remember(world.ports, draft)).memory
    assert (memory.occurred_at, memory.created_at) == (then, world.now)
    assert memory.updated_at == world.now


async def test_a_session_is_kept() -> None:
    draft = MemoryDraft(SCOPE, "rain", session_id="monday")
    assert (await remember(World().ports, draft)).memory.session_id == "monday"


async def test_each_draft_has_its_own_outcome_in_order() -> None:
    world = World()
    world.embedder.refused.add("refused")
    drafts = [draft("a\x00"), draft("one"), draft("refused"), draft("two"), draft("\ud800")]
    outcomes = await remember_many(world.ports, drafts)
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [InvalidInput, Written, EmbeddingUnavailable, Written, InvalidInput]
    stored = [outcome for outcome in outcomes if not isinstance(outcome, FleetmemError)]
    assert [written.memory.content for written in stored] == ["one", "two"]
    assert await world.memories.count(SCOPE) == 2
    assert world.meter.total("memory_operations", operation="create") == 2


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (draft("\x00"), "content"),
        (draft("x", Scope(1, "\x00", "user")), "agent_id"),
        (draft("x", Scope(1, "agent", "\udfff")), "user_id"),
    ],
)
async def test_what_cannot_be_stored_is_refused_before_it_is_embedded(
    bad: MemoryDraft, field: str
) -> None:
    world = World()
    with pytest.raises(InvalidInput) as refusal:
        await remember(world.ports, bad)
    assert refusal.value.field == field
    assert world.embedder.embedded == []


async def test_without_a_vector_nothing_is_stored() -> None:
    world = World()
    world.embedder.refused.add("rain")
    with pytest.raises(EmbeddingUnavailable):
        await remember(world.ports, draft("rain"))
    world.embedder.down = True
    with pytest.raises(EmbeddingUnavailable):
        await remember(world.ports, draft("sun"))
    assert world.memories.rows == {}


async def test_a_database_that_is_away_is_said() -> None:
    world = World()
    world.memories.down = True
    with pytest.raises(DatabaseUnavailable):
        await remember(world.ports, draft("rain"))
    assert world.meter.total("memory_operations", operation="create") == 0


async def test_no_drafts_touch_nothing() -> None:
    world = World()
    world.embedder.down = True
    assert await remember_many(world.ports, []) == []


async def test_what_storage_refuses_is_the_outcome_of_its_draft() -> None:
    world = World()
    world.memories.quotas[1] = Quota(memories=1)
    [first, second] = await remember_many(world.ports, [draft("rain"), draft("sun")])
    assert isinstance(first, Written)
    assert isinstance(second, QuotaExceeded)
    assert world.meter.total("memory_operations", operation="create") == 1


async def test_what_a_key_had_done_before_is_told_and_not_counted_again() -> None:
    world = World()
    first = await remember(world.ports, draft("rain"), KEY)
    again = await remember(world.ports, draft("rain"), KEY)
    assert again == Written(first.memory, is_replayed=True)
    assert world.meter.total("memory_operations", operation="create") == 1


async def test_only_what_came_late_to_a_change_of_the_model_is_done_again() -> None:
    memories = ChangedMemories()
    world = World(memories=memories)
    ports = replace(world.ports, models=models_of("old", "new"))
    drafts = [draft("sun"), draft("rain"), draft("\x00"), draft("snow")]
    outcomes = await remember_many(ports, drafts)
    assert memories.asked == [["sun", "rain", "snow"], ["sun", "snow"]]
    assert isinstance(outcomes[2], InvalidInput)
    stored = [outcome.memory for outcome in outcomes if isinstance(outcome, Written)]
    assert [(one.content, memories.rows[one.id].model) for one in stored] == [
        ("sun", "new"),
        ("rain", "old"),
        ("snow", "new"),
    ]
    assert world.meter.total("memory_operations", operation="create") == 3


async def test_under_a_key_all_is_done_again_by_the_new_model() -> None:
    world = World()
    once = ChangedOnce(world.memories)
    ports = replace(world.ports, models=models_of("old", "new"), once=once)
    outcomes = await remember_many(ports, [draft("rain"), draft("sun")], KEY)
    assert all(isinstance(outcome, Written) for outcome in outcomes)
    assert [row.model for row in world.memories.rows.values()] == ["new", "new"]


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_model_that_changes_on_and_on_is_said(key: IdempotencyKey | None) -> None:
    memories = ChangedMemories()
    world = World(memories=memories)
    once = ChangedOnce(memories)
    ports = replace(world.ports, models=models_of("old", "old"), once=once)
    with pytest.raises(ModelChanged):
        await remember(ports, draft("sun"), key)
    assert memories.rows == {}
