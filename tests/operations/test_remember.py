import pytest

from serve_app.core.errors import (
    DatabaseUnavailable,
    EmbeddingUnavailable,
    FleetmemError,
    InvalidInput,
)
from serve_app.core.memory import Kind, MemoryDraft, Scope
from serve_app.core.writing import Written
from serve_app.operations.remember import remember, remember_many
from tests.fakes.world import SCOPE, World


def draft(content: str, scope: Scope = SCOPE) -> MemoryDraft:
    return MemoryDraft(scope, content)


async def test_what_is_returned_is_stored() -> None:
    world = World()
    draft = MemoryDraft(SCOPE, "rain", Kind.PROCEDURAL, 0.9)
    memory = (await remember(world.ports, draft)).memory
    assert memory == await world.memories.get(1, memory.id)
    assert (memory.content, memory.kind, memory.importance) == ("rain", Kind.PROCEDURAL, 0.9)
    assert memory.created_at == memory.updated_at == memory.occurred_at == world.now
    assert world.memories.rows[memory.id].model == world.embedder.model
    assert world.meter.total("memory_operations", operation="create") == 1


async def test_the_past_can_be_written_down() -> None:
    world = World()
    then = world.now
    world.advance(days=30)
    draft = MemoryDraft(SCOPE, "rain", occurred_at=then)
    memory = (await remember(world.ports, draft)).memory
    assert (memory.occurred_at, memory.created_at) == (then, world.now)


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
