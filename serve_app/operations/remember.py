"""Remember: embed drafts and store them; what is returned is committed."""

from collections.abc import Sequence

from serve_app.core.errors import FleetmemError, ModelChanged
from serve_app.core.memory import Chunk, EmbeddedMemory, Memory, MemoryDraft
from serve_app.core.text import require_storable
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.once import remember_once
from serve_app.operations.ports import Ports


async def remember(ports: Ports, draft: MemoryDraft, key: IdempotencyKey | None = None) -> Written:
    """Store one draft; raises what went wrong."""
    [outcome] = await remember_many(ports, [draft], key)
    if isinstance(outcome, FleetmemError):
        raise outcome
    return outcome


async def remember_many(
    ports: Ports, drafts: Sequence[MemoryDraft], key: IdempotencyKey | None = None
) -> list[Written | FleetmemError]:
    """Store each draft with its own outcome, in order; one's failure is not another's.

    Under a key only what it has not stored so far; raises what ports.OnceOnly does.
    """
    outcomes = await (_store(ports, drafts) if key is None else _store_under(ports, drafts, key))
    created = sum(
        isinstance(o, Written) and not o.is_replayed and not o.was_there for o in outcomes
    )
    ports.meter.count("memory_operations", created, operation="create")
    return outcomes


async def _store(ports: Ports, drafts: Sequence[MemoryDraft]) -> list[Written | FleetmemError]:
    """What became of each draft; where the model was changed meanwhile, at the second try."""
    outcomes = await _try_to_store(ports, drafts)
    late = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, ModelChanged)]
    if late:
        await ports.models.refresh()
        again = await _try_to_store(ports, [drafts[index] for index in late])
        for index, outcome in zip(late, again, strict=True):
            outcomes[index] = outcome
    return outcomes


async def _store_under(
    ports: Ports, drafts: Sequence[MemoryDraft], key: IdempotencyKey
) -> list[Written | FleetmemError]:
    """As _store; a key's memories are one transaction, so they are late together."""
    try:
        return await remember_once(ports, drafts, key, _embed)
    except ModelChanged:
        await ports.models.refresh()
        return await remember_once(ports, drafts, key, _embed)


async def _try_to_store(
    ports: Ports, drafts: Sequence[MemoryDraft]
) -> list[Written | FleetmemError]:
    """Store what could be embedded."""
    embedded = await _embed(ports, drafts)
    ready = [each for each in embedded if isinstance(each, EmbeddedMemory)]
    stored = iter(await ports.memories.add(ready) if ready else [])
    return [
        each if isinstance(each, FleetmemError) else Written.of(each.memory, next(stored))
        for each in embedded
    ]


def _refusal(draft: MemoryDraft) -> FleetmemError | None:
    """Why this draft cannot be stored, if it cannot."""
    try:
        require_storable(draft.content, "content")
        require_storable(draft.scope.agent_id, "agent_id")
        require_storable(draft.scope.user_id, "user_id")
    except FleetmemError as refusal:
        return refusal
    return None


async def _embed(
    ports: Ports, drafts: Sequence[MemoryDraft]
) -> list[EmbeddedMemory | FleetmemError]:
    """Each draft with its vectors. No connection is held while text is embedded."""
    outcomes = [_refusal(draft) for draft in drafts]
    accepted = [draft for draft, refusal in zip(drafts, outcomes, strict=True) if refusal is None]
    if not accepted:
        return [refusal for refusal in outcomes if refusal is not None]
    # A list of drafts is one caller's.
    tenant_id = drafts[0].scope.tenant_id
    embedder = ports.embedder
    chunks = await embedder.embed_documents([draft.content for draft in accepted], tenant_id)
    embedded = (
        each if isinstance(each, FleetmemError) else _embedded(ports, draft, each, embedder.model)
        for draft, each in zip(accepted, chunks, strict=True)
    )
    return [refusal or next(embedded) for refusal in outcomes]


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
    return EmbeddedMemory(memory, chunks, model, draft.dedupe)
