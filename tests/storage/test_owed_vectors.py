"""Owed vectors in Postgres keep the contract of their fake."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from serve_app.core.errors import NotFound
from serve_app.core.memory import EmbeddedMemory, MemoryChanges, Scope
from serve_app.settings import Settings, load_settings
from serve_app.storage.connection import open_pool, prepare
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.model_change import begin_change
from serve_app.storage.model_stamp import adopt_model
from serve_app.storage.owed_vectors import PostgresOwed
from tests.contracts.owed_contract import NEW, OLD, Forget, OwedContract, Write
from tests.contracts.samples import START, sample
from tests.storage.owner import execute


@pytest.fixture
def settings(fresh_dsn: str) -> Settings:
    return load_settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1, db_max_pool_size=2)


@pytest.fixture
async def owed(fresh_dsn: str) -> AsyncIterator[PostgresOwed]:
    await execute(fresh_dsn, "insert into tenants (tenant_id, name) values (2, 'other')")
    connection = await asyncpg.connect(fresh_dsn)
    await adopt_model(connection, OLD.model, 384)
    await prepare(connection)
    await begin_change(connection, NEW.model, 64)
    yield PostgresOwed(connection)
    await connection.close()


@pytest.fixture
async def memories(owed: PostgresOwed, settings: Settings) -> AsyncIterator[PostgresMemories]:
    pool = await open_pool(settings)
    yield PostgresMemories(pool, settings)
    await pool.close()


@pytest.fixture
def write(owed: PostgresOwed, memories: PostgresMemories) -> Write:
    async def write(number: int, content: str, tenant_id: int) -> None:
        active = OLD if await owed.other_model() == NEW.model else NEW
        chunks = active.chunks(content)
        try:
            before = await memories.get(tenant_id, UUID(int=number))
        except NotFound:
            memory = sample(content, Scope(tenant_id, "agent", "user"))
            memory = replace(memory, id=UUID(int=number))
            stored = await memories.add([EmbeddedMemory(memory, chunks, active.model)])
            assert stored == [memory]
        else:
            changes = MemoryChanges(content=content)
            await memories.revise(before, changes, START, chunks, active.model)

    return write


@pytest.fixture
def forget(memories: PostgresMemories) -> Forget:
    async def forget(number: int, tenant_id: int) -> None:
        await memories.forget(tenant_id, UUID(int=number), None)

    return forget


class TestPostgresOwed(OwedContract):
    """Owed vectors in tables."""
