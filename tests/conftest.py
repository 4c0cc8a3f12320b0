"""What tests of every layer share: one real Postgres for the whole run."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import settings

from serve_app.local.postgres import EmbeddedPostgres
from serve_app.storage.migrate import migrate

# Machines differ in speed; a slow example is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_numbers = itertools.count()


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """An empty folder that the account of the server can enter; pytest's own are closed."""
    directory = Path(tempfile.mkdtemp(prefix="fleetmem-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """One embedded server for the whole run; its database is migrated, and a template only."""
    directory = Path(tempfile.mkdtemp(prefix="fleetmem-test-"))
    directory.chmod(0o755)
    server = EmbeddedPostgres(directory / "data").start()
    asyncio.run(migrate(server.dsn))
    yield server.dsn
    server.stop()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def empty_dsn(postgres_dsn: str) -> Iterator[str]:
    """A database of its own without any table."""
    yield from _database(postgres_dsn, "template0")


@pytest.fixture
def fresh_dsn(postgres_dsn: str) -> Iterator[str]:
    """A database of its own, migrated, and empty."""
    yield from _database(postgres_dsn, "fleetmem")


@pytest.fixture(scope="module")
def module_dsn(postgres_dsn: str) -> Iterator[str]:
    """A migrated database that the tests of one module share."""
    yield from _database(postgres_dsn, "fleetmem")


def _database(server_dsn: str, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    address = server_dsn.replace("/fleetmem?", "/postgres?")
    asyncio.run(_execute(address, f"create database {name} template {template}"))
    yield server_dsn.replace("/fleetmem?", f"/{name}?")
    asyncio.run(_execute(address, f"drop database {name} with (force)"))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
