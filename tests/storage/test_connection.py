import os
import signal
import time
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from serve_app.core.errors import ConfigurationError, DatabaseUnavailable
from serve_app.local.postgres import EmbeddedPostgres
from serve_app.settings import Settings
from serve_app.storage import connection as module
from serve_app.storage.connection import Pool, acquired, open_pool, pool_usage, transaction
from serve_app.storage.migrate import migrate


def settings_for(dsn: str, **knobs: float) -> Settings:
    return Settings(database_url=SecretStr(dsn), db_min_pool_size=2, db_max_pool_size=3, **knobs)


def kill(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while server.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def ask(pool: Pool, statement: str) -> object:
    async with acquired(pool) as connection:
        return await connection.fetchval(statement)


INSERT = "insert into scopes (tenant_id, agent_id, user_id) values (1, 'a', 'u')"


async def insert_and_fail(pool: Pool) -> None:
    async with transaction(pool, 1) as connection:
        await connection.execute(INSERT)
        await connection.execute("select 1 / 0")


async def test_connections_are_counted_and_carry_their_timeouts(fresh_dsn: str) -> None:
    pool = await open_pool(settings_for(fresh_dsn, db_command_timeout=7))
    try:
        assert pool_usage(pool) == (0, 2)
        async with acquired(pool) as connection:
            assert pool_usage(pool) == (1, 1)
            assert await connection.fetchval("show statement_timeout") == "7s"
            assert await connection.fetchval("show application_name") == "fleetmem"
            assert await connection.fetchval("show idle_in_transaction_session_timeout") == "7s"
    finally:
        await pool.close()


async def test_a_statement_that_takes_too_long_is_unavailable(fresh_dsn: str) -> None:
    pool = await open_pool(settings_for(fresh_dsn, db_command_timeout=0.2))
    try:
        with pytest.raises(DatabaseUnavailable) as told:
            await ask(pool, "select pg_sleep(60)")
        assert "pg_sleep" not in str(told.value)
        async with acquired(pool) as connection:
            assert await connection.fetchval("select 1") == 1
    finally:
        await pool.close()


async def test_a_pool_that_is_busy_is_unavailable_not_silent(
    fresh_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ACQUIRE_TIMEOUT_SECONDS", 1.0)
    pool = await open_pool(settings_for(fresh_dsn))
    try:
        async with acquired(pool), acquired(pool):
            async with acquired(pool):
                with pytest.raises(DatabaseUnavailable):
                    await ask(pool, "select 1")
            assert await ask(pool, "select 1") == 1
    finally:
        await pool.close()


async def test_a_transaction_that_fails_changes_nothing(fresh_dsn: str) -> None:
    pool = await open_pool(settings_for(fresh_dsn))
    try:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await insert_and_fail(pool)
        async with transaction(pool, 1) as connection:
            assert await connection.fetchval("select count(*) from scopes") == 0
            await connection.execute(INSERT)
        async with transaction(pool, 1) as connection:
            assert await connection.fetchval("select count(*) from scopes") == 1
    finally:
        await pool.close()


async def test_a_killed_server_is_unavailable_and_then_back(open_directory: Path) -> None:
    server = EmbeddedPostgres(open_directory / "data").start()
    await migrate(server.dsn)
    pool = await open_pool(settings_for(server.dsn))
    try:
        kill(server)
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                await ask(pool, "select 1")
        assert server.restart_if_dead()
        async with acquired(pool) as connection:
            assert await connection.fetchval("select count(*) from embedding_model") == 0
    finally:
        await pool.close()
        server.stop()


async def test_no_server_and_no_address_are_told_apart(open_directory: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        await open_pool(settings_for(f"postgresql://nobody@/none?host={open_directory}"))
    with pytest.raises(ConfigurationError, match="FLEETMEM_DATABASE_URL"):
        await open_pool(Settings(database_url=None))


async def test_a_database_that_was_not_migrated_is_named(empty_dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="migrate"):
        await open_pool(settings_for(empty_dsn))
