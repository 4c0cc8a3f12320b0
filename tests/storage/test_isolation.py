"""Two tenants on a real Postgres, as the service: neither touches the rows of the other."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pgvector.asyncpg import register_vector
from pydantic import SecretStr

from serve_app.core.errors import Conflict, NotFound
from serve_app.core.memory import (
    Chunk,
    EmbeddedMemory,
    Kind,
    Memory,
    MemoryChanges,
    Scope,
    Status,
)
from serve_app.core.page import MemoryFilter
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import VectorSearch
from serve_app.operations.ports import Lease
from serve_app.settings import Settings
from serve_app.storage.connection import Pool, open_pool, transaction
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.queries import query
from serve_app.storage.summaries import PostgresSummaries
from tests.storage.corpus import NOW
from tests.storage.owner import execute

OURS, THEIRS = 1, 2
VECTOR = np.eye(384, dtype=np.float32)[0]
TENANT_TABLES = ("scopes", "memories", "memory_vectors", "memory_versions")
SETTINGS = Settings()


@pytest.fixture(scope="module")
def loaded(module_dsn: str) -> str:
    asyncio.run(execute(module_dsn, "insert into tenants (name) values ('second')"))
    return module_dsn


@pytest.fixture
async def pool(loaded: str) -> AsyncIterator[Pool]:
    pool = await open_pool(Settings(database_url=SecretStr(loaded), db_min_pool_size=1))
    yield pool
    await pool.close()


@pytest.fixture
async def maintenance(loaded: str) -> AsyncIterator[PostgresSummaries]:
    settings = Settings(database_url=SecretStr(loaded), db_min_pool_size=1)
    pool = await open_pool(settings, "fleetmem_maintenance")
    yield PostgresSummaries(pool)
    await pool.close()


@pytest.fixture
def memories(pool: Pool) -> PostgresMemories:
    return PostgresMemories(pool, SETTINGS)


@pytest.fixture
async def service(loaded: str) -> AsyncIterator[asyncpg.Connection]:
    """A bare connection with the rights of the service, and without a tenant."""
    connection = await asyncpg.connect(loaded, server_settings={"role": "fleetmem_service"})
    await register_vector(connection)
    yield connection
    await connection.close()


def embedded(scope: Scope, content: str = "rain") -> EmbeddedMemory:
    memory = Memory(uuid4(), scope, content, Kind.EPISODIC, 0.5, NOW, NOW, NOW)
    return EmbeddedMemory(memory, (Chunk(0, len(content), VECTOR),), "m")


async def store_pair(memories: PostgresMemories, agent: str) -> tuple[Memory, Memory]:
    """A memory of each tenant, under the same names, stored by one call."""
    both = [embedded(Scope(tenant, agent, "u"), f"of {tenant}") for tenant in (OURS, THEIRS)]
    ours, theirs = await memories.add(both)
    assert isinstance(ours, Memory)
    assert isinstance(theirs, Memory)
    return ours, theirs


def search_in(scope: Scope) -> VectorSearch:
    return VectorSearch(scope, VECTOR, 50, RankingPolicy(), NOW)


async def test_ids_of_another_tenant_are_unknown(memories: PostgresMemories) -> None:
    ours, theirs = await store_pair(memories, "ids")
    unknown = uuid4()
    for memory_id in (theirs.id, unknown):
        with pytest.raises(NotFound) as read:
            await memories.get(OURS, memory_id)
        with pytest.raises(NotFound) as forgotten:
            await memories.forget(OURS, memory_id, None)
        assert str(read.value) == str(forgotten.value) == f"no memory {memory_id}"
        assert await memories.page_versions(OURS, memory_id, 10, None) == []
    disguised = replace(theirs, scope=ours.scope)
    with pytest.raises(Conflict):
        await memories.revise(disguised, MemoryChanges(content="taken"), NOW, None)
    assert await memories.get(THEIRS, theirs.id) == theirs


async def test_filters_pages_and_counts_stay_within_the_tenant(memories: PostgresMemories) -> None:
    scope = Scope(OURS, "pages", "u")
    await memories.add([embedded(replace(scope, tenant_id=1 + n % 2)) for n in range(40)])
    for where in (
        MemoryFilter(OURS, agent_id="pages"),
        MemoryFilter(OURS, agent_id="pages", user_id="u"),
        MemoryFilter(OURS, user_id="u", status=None, agent_id="pages"),
    ):
        walked, after = [], None
        while (page := await memories.page(where, 7, after)).memories:
            walked += page.memories
            after = page.memories[-1].id
        assert len(walked) == 20
        assert {memory.scope for memory in walked} == {scope}
    assert await memories.count(scope) == 20
    # A cursor that names another tenant's memory only says where to begin.
    [foreign, *_] = (await memories.page(MemoryFilter(THEIRS, agent_id="pages"), 1, None)).memories
    page = await memories.page(MemoryFilter(OURS, agent_id="pages"), 50, foreign.id)
    assert {memory.scope for memory in page.memories} <= {scope}


async def test_one_statement_for_both_tenants_mixes_nothing(memories: PostgresMemories) -> None:
    ours, theirs = await store_pair(memories, "mixed")
    turns = [ours.scope, theirs.scope] * 16
    found = await memories.search_many([search_in(scope) for scope in turns])
    assert [[c.memory for c in hits] for hits in found] == [[ours], [theirs]] * 16


async def test_revising_and_forgetting_leave_the_other_tenant_alone(
    memories: PostgresMemories,
) -> None:
    ours, theirs = await store_pair(memories, "edits")
    # One id in both tenants: ids are unique within one only.
    twin = EmbeddedMemory(replace(theirs, id=ours.id, content="twin"), (), "m")
    assert await memories.add([twin]) == [twin.memory]
    later = NOW + timedelta(days=1)
    changed = await memories.revise(ours, MemoryChanges(status=Status.ARCHIVED), later, None)
    assert changed.status is Status.ARCHIVED
    assert await memories.get(THEIRS, ours.id) == twin.memory
    await memories.forget(OURS, ours.id, None)
    assert await memories.get(THEIRS, ours.id) == twin.memory
    assert await memories.get(THEIRS, theirs.id) == theirs


async def test_a_fold_writes_within_the_tenant_of_its_lease(
    memories: PostgresMemories, maintenance: PostgresSummaries
) -> None:
    ours, theirs = await store_pair(memories, "folds")
    leases: list[Lease] = []
    for scope_id in await maintenance.crowded_scopes(0, 100):
        lease = await maintenance.claim(scope_id, uuid4(), 60)
        assert lease is not None
        leases.append(lease)
    assert {ours.scope, theirs.scope} <= {lease.scope for lease in leases}
    [lease] = [lease for lease in leases if lease.scope == ours.scope]
    foreign = embedded(theirs.scope, "a summary in the wrong tenant")
    assert not await maintenance.fold(lease, [theirs], foreign)
    summary = embedded(ours.scope, "a summary")
    assert await maintenance.fold(lease, [ours], summary)
    assert (await memories.get(OURS, ours.id)).superseded_by == summary.memory.id
    assert await memories.get(THEIRS, theirs.id) == theirs
    assert await memories.count(theirs.scope) == 1


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_without_a_tenant_nothing_is_seen(
    memories: PostgresMemories, service: asyncpg.Connection, table: str
) -> None:
    ours, _ = await store_pair(memories, f"bare {table}")
    await memories.revise(ours, MemoryChanges(importance=0.9), NOW, None)
    count = f"select count(*) from {table}"  # noqa: S608  # the name of a table
    assert await service.fetchval(count) == 0
    seen = set()
    for tenant in (OURS, THEIRS):
        async with service.transaction():
            await service.execute("select enter_tenant($1)", tenant)
            rows = await service.fetch(f"table {table}")
            seen |= {(tenant, row["tenant_id"]) for row in rows}
            assert await service.fetchval(f"{count} where tenant_id <> $1", tenant) == 0
    assert (OURS, OURS) in seen
    # The tenant was the transaction's: the connection kept none of it.
    assert await service.fetchval(count) == 0


FORGED = """insert into memories (id, tenant_id, scope_id, content, kind, importance, created_at,
  occurred_at, updated_at, content_hash)
select gen_random_uuid(), $1, (select min(scope_id) from scopes), 'forged', 'episodic', 0.5, now(),
       now(), now(), ''"""


@pytest.mark.parametrize(
    "statement",
    [
        FORGED,
        "insert into scopes (tenant_id, agent_id, user_id) values ($1, 'forged', 'u')",
        "update memories set tenant_id = $1",
        "update memory_vectors set tenant_id = $1",
    ],
)
async def test_writing_for_another_tenant_is_refused(
    memories: PostgresMemories, service: asyncpg.Connection, statement: str
) -> None:
    await store_pair(memories, "forged")
    async with service.transaction():
        await service.execute("select enter_tenant($1)", OURS)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await service.execute(statement, THEIRS)


async def test_what_touches_all_rows_touches_one_tenants(
    memories: PostgresMemories, service: asyncpg.Connection
) -> None:
    _, theirs = await store_pair(memories, "all rows")
    for statement in ("update memories set content = 'taken'", "delete from memories"):
        async with service.transaction():
            await service.execute("select enter_tenant($1)", OURS)
            await service.execute(statement)
    assert await memories.get(THEIRS, theirs.id) == theirs


async def test_copy_is_no_way_around(
    memories: PostgresMemories, service: asyncpg.Connection
) -> None:
    await store_pair(memories, "copied")
    taken = io.BytesIO()
    async with service.transaction():
        await service.execute("select enter_tenant($1)", OURS)
        await service.copy_from_query("select distinct tenant_id from memories", output=taken)
    assert taken.getvalue() == b"1\n"
    with pytest.raises(asyncpg.FeatureNotSupportedError, match="row-level security"):
        await service.copy_records_to_table(
            "scopes", records=[(THEIRS, "a", "u")], columns=["tenant_id", "agent_id", "user_id"]
        )


# The last two are a Cyrillic letter, and a letter in two parts.
PARTS = ["a", "A", "%", "_", "/", ":", ",", " ", "'", '"', "\\", "\u0430", "e\u0301"]
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("".join)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(names=st.lists(st.tuples(NAMES, NAMES), min_size=2, max_size=4, unique=True))
async def test_names_that_look_alike_are_apart(
    memories: PostgresMemories, names: list[tuple[str, str]]
) -> None:
    scopes = [Scope(tenant, *pair) for tenant in (OURS, THEIRS) for pair in names]
    added = await memories.add([embedded(scope) for scope in scopes])
    found = await memories.search_many([search_in(scope) for scope in scopes])
    for scope, memory, hits in zip(scopes, added, found, strict=True):
        assert {candidate.memory.scope for candidate in hits} == {scope}
        assert memory in [candidate.memory for candidate in hits]
        where = MemoryFilter(scope.tenant_id, agent_id=scope.agent_id, user_id=scope.user_id)
        page = await memories.page(where, 50, None)
        assert {listed.scope for listed in page.memories} == {scope}
        assert await memories.count(scope) == len(page.memories)
    for memory in added:
        assert isinstance(memory, Memory)
        await memories.forget(memory.scope.tenant_id, memory.id, memory.scope.agent_id)


async def test_every_statement_sets_its_tenant_itself(pool: Pool) -> None:
    """Whatever ran before on the connection; a forgotten one would find nothing, and never fail."""
    async with transaction(pool, THEIRS) as connection:
        rows = await connection.fetch(query("get_memories"), OURS, [uuid4()])
        assert rows == []
        assert await connection.fetchval("select current_tenant()") == OURS
