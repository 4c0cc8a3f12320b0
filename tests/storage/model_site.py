"""A stamped database with two embedders: what tests of a change of model share."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import asyncpg
from pydantic import SecretStr

from serve_app.core.errors import ModelChanged
from serve_app.core.memory import EmbeddedMemory, Memory
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import VectorSearch
from serve_app.operations.fill_vectors import fill
from serve_app.settings import load_settings
from serve_app.storage.connection import open_pool, prepare
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.model_change import begin_change
from serve_app.storage.model_stamp import adopt_model
from serve_app.storage.owed_vectors import PostgresOwed
from tests.contracts.samples import SCOPE, START, sample
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.meter import RecordingMeter

OLD = FakeEmbedder("old", dimension=384)
NEW = FakeEmbedder("new", dimension=64, chunk_characters=40)
LATER = START + timedelta(days=1)
NUMBERED = [sample() for _ in range(2000)]
SIMILARITY = RankingPolicy(1.0, 0.0, 0.0)


class Site:
    """A stamped database, with the service's pool and the owner's connection."""

    def __init__(self, memories: PostgresMemories, owner: asyncpg.Connection, dsn: str) -> None:
        self.memories = memories
        self.owner = owner
        self.owed = PostgresOwed(owner)
        self.meter = RecordingMeter()
        self.dsn = dsn

    async def add(self, number: int, content: str, embedder: FakeEmbedder = OLD) -> Memory:
        memory = replace(NUMBERED[number], content=content)
        [outcome] = await self.memories.add(
            [EmbeddedMemory(memory, embedder.chunks(content), embedder.model)]
        )
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def search(self, text: str, embedder: FakeEmbedder, top_k: int = 50) -> list[Memory]:
        asked = VectorSearch(
            SCOPE, embedder.vector(text), top_k, SIMILARITY, LATER, model=embedder.model
        )
        return [candidate.memory for candidate in await self.memories.search(asked)]

    async def search_as_stale(self, text: str) -> list[Memory]:
        """By the old model, or once it is behind, by the new one."""
        try:
            return await self.search(text, OLD)
        except ModelChanged:
            return await self.search(text, NEW)

    async def change(self) -> None:
        await begin_change(self.owner, NEW.model, 64)
        await fill(self.owed, NEW, self.meter)

    async def count(self, table: str) -> int:
        return await self.owner.fetchval(f"select count(*) from {table}") or 0  # noqa: S608  # our own


@asynccontextmanager
async def open_site(dsn: str) -> AsyncGenerator[Site]:
    """A migrated, empty database becomes one of the old model."""
    settings = load_settings(database_url=SecretStr(dsn), db_min_pool_size=1, db_max_pool_size=4)
    owner = await asyncpg.connect(dsn)
    await adopt_model(owner, OLD.model, 384)
    await prepare(owner)
    pool = await open_pool(settings)
    yield Site(PostgresMemories(pool, settings), owner, dsn)
    await pool.close()
    await owner.close()
