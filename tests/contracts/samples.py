"""Memories to try a store with; ids and times count up."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from serve_app.core.errors import FleetmemError
from serve_app.core.identity import uuid7
from serve_app.core.memory import EmbeddedMemory, Kind, Memory, Scope
from serve_app.operations.ports import Memories
from tests.fakes.embedder import FakeEmbedder

SCOPE = Scope(1, "agent", "user")
OTHER_USER = Scope(1, "agent", "other")
START = datetime(2026, 1, 1, tzinfo=UTC)
EMBEDDER = FakeEmbedder()

_numbers = count(1)


def sample(content: str = "It rains.", scope: Scope = SCOPE, **fields: Any) -> Memory:
    """A memory a minute younger than the one before."""
    number = next(_numbers)
    now = START + timedelta(minutes=number)
    plain = Memory(
        id=uuid7(now, number.to_bytes(10)),
        scope=scope,
        content=content,
        kind=Kind.EPISODIC,
        importance=0.3,
        created_at=now,
        occurred_at=now,
        updated_at=now,
    )
    return replace(plain, **fields)


def embed(memory: Memory) -> EmbeddedMemory:
    return EmbeddedMemory(memory, EMBEDDER.chunks(memory.content), EMBEDDER.model)


async def store(memories: Memories, samples: Sequence[Memory]) -> list[Memory]:
    """Store all, and fail the test on any error."""
    outcomes = await memories.add([embed(memory) for memory in samples])
    stored = [outcome for outcome in outcomes if not isinstance(outcome, FleetmemError)]
    assert stored == list(samples)
    return stored


def summary_of(sources: Sequence[Memory], content: str = "A summary.") -> EmbeddedMemory:
    newest = max(source.occurred_at for source in sources)
    ids = tuple(source.id for source in sources)
    return embed(sample(content, kind=Kind.SEMANTIC, occurred_at=newest, sources=ids))
