"""Once: what was done under an idempotency key is told again, and not done again."""

from collections.abc import Awaitable, Callable, Sequence

from serve_app.core.errors import FleetmemError, KeyReused, StillRunning
from serve_app.core.memory import EmbeddedMemory, MemoryDraft
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.operations.ports import Outcomes, Ports

Embed = Callable[[Ports, Sequence[MemoryDraft]], Awaitable[list[EmbeddedMemory | FleetmemError]]]


async def remember_once(
    ports: Ports, drafts: Sequence[MemoryDraft], key: IdempotencyKey, embed: Embed
) -> list[Written | FleetmemError]:
    """The outcome of each draft; only those without one so far are embedded and stored.

    Raises KeyReused, StillRunning and DatabaseUnavailable.
    """
    try:
        with ports.running.hold(key):
            outcomes = await _remember_missing(ports, drafts, key, embed)
    except StillRunning:
        # What holds the key may itself only be telling again what was done.
        outcomes = await ports.once.recall(key) or [None]
        if any(outcome is None for outcome in outcomes):
            raise
    return [outcome for outcome in outcomes if outcome is not None]


async def _remember_missing(
    ports: Ports, drafts: Sequence[MemoryDraft], key: IdempotencyKey, embed: Embed
) -> Outcomes:
    outcomes: Outcomes = await ports.once.recall(key) or [None for _ in drafts]
    if len(outcomes) != len(drafts):
        raise KeyReused("the key belongs to another request")
    places = [place for place, outcome in enumerate(outcomes) if outcome is None]
    embedded = await embed(ports, [drafts[place] for place in places]) if places else []
    ready: dict[int, EmbeddedMemory] = {}
    for place, each in zip(places, embedded, strict=True):
        if isinstance(each, FleetmemError):
            outcomes[place] = each
        else:
            ready[place] = each
    if ready:
        stored = await ports.once.add(key, ready, len(drafts))
        outcomes = [new or old for new, old in zip(stored, outcomes, strict=True)]
    return outcomes


async def recall_one(ports: Ports, key: IdempotencyKey) -> Written | None:
    """The one memory that was written under the key; raises AnswerForgotten once it is gone."""
    outcomes = await ports.once.recall(key)
    if outcomes is None:
        return None
    [outcome] = outcomes
    if isinstance(outcome, FleetmemError):
        raise outcome
    return outcome
