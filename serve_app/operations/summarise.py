"""Summarise: fold the oldest memories of crowded scopes; any number of summarisers may run."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from serve_app.core.errors import FleetmemError
from serve_app.core.memory import EmbeddedMemory, Memory
from serve_app.core.summary import (
    Fold,
    Source,
    SummaryRules,
    plan_folds,
    strip_prefix,
    write_summary,
)
from serve_app.operations.ports import Lease, Ports, SentenceSplitter, Summaries

SCOPES_PER_TICK = 1000
ROUNDS_PER_SCOPE = 100
WIDEST_BATCHES = 8
"""How many batches are read at once when the oldest one holds nothing that can be folded."""

Outcome = Literal["folded", "nothing", "busy", "stale", "error"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SummaryReport:
    """What one tick did: how many scopes ended in each outcome, and the memories folded."""

    outcomes: dict[Outcome, int]
    memories_folded: int


@dataclass(slots=True)
class _Tick:
    """The tools of one tick, and what it has folded so far."""

    ports: Ports
    summaries: Summaries
    splitter: SentenceSplitter
    rules: SummaryRules
    lease_seconds: int
    holder: UUID
    memories_folded: int = 0


async def summarise(
    ports: Ports,
    summaries: Summaries,
    splitter: SentenceSplitter,
    rules: SummaryRules,
    lease_seconds: int,
) -> SummaryReport:
    """One tick over every crowded scope; one scope's error is counted and stops no other.

    Raises what `crowded_scopes` raises.
    """
    tick = _Tick(ports, summaries, splitter, rules, lease_seconds, ports.new_id())
    outcomes: Counter[Outcome] = Counter()
    for scope_id in await summaries.crowded_scopes(rules.threshold, SCOPES_PER_TICK):
        outcome = await _summarise_scope(tick, scope_id)
        outcomes[outcome] += 1
        ports.meter.count("summarizer_runs", outcome=outcome)
    return SummaryReport(dict(outcomes), tick.memories_folded)


async def _summarise_scope(tick: _Tick, scope_id: int) -> Outcome:
    try:
        lease = await tick.summaries.claim(scope_id, tick.holder, tick.lease_seconds)
        if lease is None:
            return "busy"
        try:
            return await _drain(tick, lease)
        finally:
            await tick.summaries.release(lease)
    except Exception as error:
        # Its text may quote a memory, so only its kind is written.
        log.error("cannot summarise scope %d: %s", scope_id, type(error).__name__)
        return "error"


async def _drain(tick: _Tick, lease: Lease) -> Outcome:
    """Fold until the scope is no longer crowded, or nothing in it can be folded."""
    folded_before = tick.memories_folded
    for _ in range(ROUNDS_PER_SCOPE):
        folds = await _next_folds(tick, lease)
        if not folds:
            break
        if not await _store(tick, lease, folds):
            return "stale"
        # Claiming again is how a long drain keeps its lease.
        if await tick.summaries.claim(lease.scope_id, tick.holder, tick.lease_seconds) is None:
            return "stale"
    return "folded" if tick.memories_folded > folded_before else "nothing"


async def _next_folds(tick: _Tick, lease: Lease) -> list[Fold]:
    """What to fold next; reads further than a batch while the oldest memories are too full."""
    batches = 1
    while batches <= WIDEST_BATCHES:
        wide = replace(tick.rules, batch_size=tick.rules.batch_size * batches)
        memories = await tick.summaries.oldest(lease, wide)
        # Off the event loop: thousands of sentences take a second.
        folds = await asyncio.to_thread(_plan, tick.splitter, memories, tick.rules)
        if folds or len(memories) < wide.batch_size:
            return folds
        batches *= 2
    return []


def _plan(
    splitter: SentenceSplitter, memories: Sequence[Memory], rules: SummaryRules
) -> list[Fold]:
    texts = [strip_prefix(memory) for memory in memories]
    sources = [
        Source(memory, tuple(splitter.sentences(text)), splitter.stop_words(text))
        for memory, text in zip(memories, texts, strict=True)
    ]
    return plan_folds(sources, rules)


async def _store(tick: _Tick, lease: Lease, folds: Sequence[Fold]) -> bool:
    """Embed every summary as it will be stored, then fold; False once a source has changed."""
    embedder = tick.ports.embedder
    chunks = await embedder.embed_documents([fold.content for fold in folds])
    for fold, of_fold in zip(folds, chunks, strict=True):
        if isinstance(of_fold, FleetmemError):
            raise of_fold
        summary = write_summary(fold, tick.ports.new_id(), tick.ports.clock())
        embedded = EmbeddedMemory(summary, of_fold, embedder.model)
        if not await tick.summaries.fold(lease, fold.memories, embedded):
            return False
        tick.memories_folded += len(fold.memories)
        tick.ports.meter.count("summarizer_memories_folded", len(fold.memories))
    return True
