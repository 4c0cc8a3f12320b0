"""Remember: embed drafts and store them; what is returned is committed."""

from collections.abc import Sequence

from serve_app.core.errors import FleetmemError, ModelChanged
from serve_app.core.memory import Chunk, EmbeddedMemory, Memory, MemoryDraft
from serve_app.core.text import require_storable
from serve_app.operations.ports import Ports


async def remember(ports: Ports, draft: MemoryDraft) -> Memory:
    """Store one draft; raises what went wrong."""
    [outcome] = await remember_many(ports, [draft])
    if isinstance(outcome, FleetmemError):
        raise outcome
    return outcome


async def remember_many(
    ports: Ports, drafts: Sequence[MemoryDraft]
) -> list[Memory | FleetmemError]:
    """Store each draft with its own outcome, in order; one's failure is not another's."""
    outcomes: list[Memory | FleetmemError | None] = [_refusal(draft) for draft in drafts]
    accepted = [index for index, outcome in enumerate(outcomes) if outcome is None]
    if accepted:
        stored = await _store(ports, [drafts[index] for index in accepted])
        for index, outcome in zip(accepted, stored, strict=True):
            outcomes[index] = outcome
    results = [outcome for outcome in outcomes if outcome is not None]
    ports.meter.count(
        "memory_operations", sum(isinstance(r, Memory) for r in results), operation="create"
    )
    return results


def _refusal(draft: MemoryDraft) -> FleetmemError | None:
    """Why this draft cannot be stored, if it cannot."""
    try:
        require_storable(draft.content, "content")
        require_storable(draft.scope.agent_id, "agent_id")
        require_storable(draft.scope.user_id, "user_id")
    except FleetmemError as refusal:
        return refusal
    return None


async def _store(ports: Ports, drafts: Sequence[MemoryDraft]) -> list[Memory | FleetmemError]:
    """What became of each draft; where the model was changed meanwhile, at the second try."""
    outcomes = await _store_once(ports, drafts)
    late = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, ModelChanged)]
    if late:
        await ports.models.refresh()
        again = await _store_once(ports, [drafts[index] for index in late])
        for index, outcome in zip(late, again, strict=True):
            outcomes[index] = outcome
    return outcomes


async def _store_once(ports: Ports, drafts: Sequence[MemoryDraft]) -> list[Memory | FleetmemError]:
    """Embed, then store what could be embedded. No connection is held while text is embedded."""
    # A list of drafts is one caller's.
    tenant_id = drafts[0].scope.tenant_id
    contents = [draft.content for draft in drafts]
    embedder = ports.embedder
    embedded = await embedder.embed_documents(contents, tenant_id)
    ready = [
        _embedded(ports, draft, chunks, embedder.model)
        for draft, chunks in zip(drafts, embedded, strict=True)
        if not isinstance(chunks, FleetmemError)
    ]
    stored = iter(await ports.memories.add(ready) if ready else [])
    return [chunks if isinstance(chunks, FleetmemError) else next(stored) for chunks in embedded]


def _embedded(
    ports: Ports, draft: MemoryDraft, chunks: tuple[Chunk, ...], model: str
) -> EmbeddedMemory:
    """The draft with its id and times, and its vectors."""
    now = ports.clock()
    memory = Memory(
        id=ports.new_id(),
        scope=draft.scope,
        content=draft.content,
        kind=draft.kind,
        importance=draft.importance,
        created_at=now,
        occurred_at=draft.occurred_at or now,
        updated_at=now,
        session_id=draft.session_id,
    )
    return EmbeddedMemory(memory, chunks, model)
