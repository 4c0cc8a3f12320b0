"""Row security is on every table, its absence is noticed, and the service cannot lift it."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest
from pydantic import SecretStr

from serve_app.core.errors import ConfigurationError
from serve_app.settings import Settings
from serve_app.storage.ann_index import switch_index
from serve_app.storage.connection import open_pool, owner_connection
from serve_app.storage.migrate import prepare_database
from serve_app.storage.roles import owns_tables, require_row_security
from tests.storage.owner import ask, execute
from tests.storage.row_security import MORE_POLICIES, WITHOUT_TENANT, find_faults


@pytest.fixture(scope="module")
def login_dsn(module_dsn: str) -> Iterator[str]:
    """A login of the service's own: resetting its role leads back to nobody with more rights."""
    asyncio.run(execute(module_dsn, "create role fleetmem_login login in role fleetmem_service"))
    yield module_dsn.replace("fleetmem@", "fleetmem_login@")
    asyncio.run(execute(module_dsn, "drop role fleetmem_login"))


async def test_no_table_lets_a_tenant_through(fresh_dsn: str) -> None:
    assert await find_faults(fresh_dsn) == []


async def test_every_exception_is_still_needed(fresh_dsn: str) -> None:
    tables = await ask(fresh_dsn, "select tablename::text from pg_tables")
    assert set(WITHOUT_TENANT) <= set(tables)
    policies = await ask(fresh_dsn, "select tablename || '.' || policyname from pg_policies")
    assert set(MORE_POLICIES) <= set(policies)


async def test_whatever_is_taken_away_is_missed(fresh_dsn: str) -> None:
    for breach, fault in {
        "drop policy tenant_rows on memories": "memories has no row security",
        "alter table scopes no force row level security": "scopes has no row security",
        "alter table memory_vectors disable row level security": "memory_vectors has no row",
        "alter policy tenant_rows on tenants with check (true)": "tenants has no row security",
        "create table notes (tenant_id int)": "notes has no row security",
        "alter table ann_index add column tenant_id int": "ann_index has tenants",
        "create policy open on memories using (true)": "memories.open has no reason",
        "create table a (b uuid primary key); create table c (d uuid references a)": (
            "c.c_d_fkey carries no tenant"
        ),
        "create view v as select * from memories": "view v acts as its owner",
        "alter function current_tenant() security definer": "function current_tenant acts",
        "alter table scopes owner to fleetmem_service": "fleetmem_service owns scopes",
        "grant truncate on memories to fleetmem_service": "may truncate memories",
    }.items():
        before = await find_faults(fresh_dsn)
        await execute(fresh_dsn, breach)
        made = set(await find_faults(fresh_dsn)) - set(before)
        assert any(fault in each for each in made), breach


@pytest.mark.parametrize(
    "statement",
    [
        "truncate memories",
        "alter table memories disable row level security",
        "drop policy tenant_rows on memories",
        "create policy mine on memories using (true)",
        "set session authorization fleetmem_maintenance",
        "set row_security = off; select content from memories",
    ],
)
async def test_the_service_cannot_lift_row_security(login_dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(login_dsn, server_settings={"role": "fleetmem_service"})
    try:
        for role in ("set role fleetmem_service", "reset role"):
            await connection.execute(role)
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute(statement)
        assert await connection.fetchval("select count(*) from memories") == 0
    finally:
        await connection.close()


async def test_a_login_of_its_own_serves_and_builds_no_index(
    login_dsn: str, module_dsn: str
) -> None:
    strong = Settings(database_url=SecretStr(login_dsn), db_min_pool_size=1)
    pool = await open_pool(strong)
    await pool.close()
    with pytest.raises(ConfigurationError, match="grant fleetmem_maintenance to"):
        await open_pool(strong, "fleetmem_maintenance")
    async with owner_connection(strong) as connection:
        assert not await owns_tables(connection)
    named = strong.model_copy(update={"owner_database_url": SecretStr(module_dsn)})
    async with owner_connection(named) as connection:
        assert await owns_tables(connection)


async def test_a_connection_that_lost_its_role_is_refused(login_dsn: str) -> None:
    connection = await asyncpg.connect(login_dsn)
    try:
        with pytest.raises(ConfigurationError, match="act as fleetmem_login, not as"):
            await require_row_security(connection, "fleetmem_service")
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("given", "taken", "reason"),
    [
        ("alter role fleetmem_service superuser", "nosuperuser", "is a superuser"),
        ("alter role fleetmem_service bypassrls", "nobypassrls", "has BYPASSRLS"),
        ("alter table scopes owner to fleetmem_service", None, "owns tables"),
        ("alter table memories no force row level security", None, "fleetmem migrate"),
    ],
)
async def test_a_role_that_row_security_does_not_hold_is_refused(
    fresh_dsn: str, given: str, taken: str | None, reason: str
) -> None:
    await execute(fresh_dsn, given)
    try:
        with pytest.raises(ConfigurationError, match=reason):
            await open_pool(Settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1))
    finally:
        if taken is not None:
            await execute(fresh_dsn, f"alter role fleetmem_service {taken}")


async def test_an_owner_without_power_migrates_serves_and_builds(empty_dsn: str) -> None:
    """As on a managed Postgres: the owner is no superuser, and its roles were made for it."""
    await execute(
        empty_dsn,
        "create extension vector; create role plain_owner login; "
        "grant all on schema public to plain_owner; "
        "create schema second_set authorization plain_owner",
    )
    dsn = empty_dsn.replace("fleetmem@", "plain_owner@")
    try:
        with pytest.raises(ConfigurationError, match="grant fleetmem_service, fleetmem_maint"):
            await prepare_database(dsn, "tiny", 384)
        await execute(empty_dsn, "grant fleetmem_service, fleetmem_maintenance to plain_owner")
        await prepare_database(dsn, "tiny", 384)
        for role in ("fleetmem_service", "fleetmem_maintenance"):
            pool = await open_pool(Settings(database_url=SecretStr(dsn), db_min_pool_size=1), role)
            await pool.close()
        await switch_index(dsn, "hnsw", lambda line: None)
        assert await find_faults(empty_dsn) == []
    finally:
        await execute(empty_dsn, "drop owned by plain_owner; drop role plain_owner")
