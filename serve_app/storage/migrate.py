"""Versioned SQL, each file once, one process at a time."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from serve_app.core.errors import ConfigurationError, DatabaseTooOld, DatabaseUnavailable
from serve_app.storage.connection import GONE, Connection, translated_errors
from serve_app.storage.model_stamp import adopt_model, read_stamp
from serve_app.storage.roles import require_overview

DIRECTORY = Path(__file__).parent / "migrations"

LEAST_PGVECTOR = (0, 8, 4)
"""0.8.3 and 0.8.4 mended corrupted HNSW indexes."""

CONNECT_SECONDS = 10

ADVISORY_LOCK = 7_301_771_901
"""Held while migrating, so that a second process waits and then finds nothing to do."""

HISTORY = """
create table if not exists schema_migrations (
  version text primary key, sha256 text not null, applied_at timestamptz not null default now()
)"""


async def migrate(dsn: str) -> list[str]:
    """Bring the schema up to date; returns the versions that were applied now.

    Raises DatabaseTooOld for an old pgvector, ConfigurationError for a schema that is newer than
    this code or was made from edited files, DatabaseUnavailable without a server.
    """
    async with connected(dsn) as connection:
        await connection.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)
        await _require_pgvector(connection)
        await connection.execute(HISTORY)
        applied = await _applied(connection)
        made = [
            await _apply(connection, path.stem, path.read_bytes())
            for path in migrations()
            if path.stem not in applied
        ]
        await require_overview(connection)
        return made


async def prepare_database(dsn: str, model: str, dimension: int) -> list[str]:
    """Migrate, and stamp the database with the model; returns the versions applied now.

    Raises what `migrate` does, and ModelMismatch when its vectors are another model's.
    """
    applied = await migrate(dsn)
    async with connected(dsn) as connection:
        await adopt_model(connection, model, dimension)
    return applied


async def list_models(dsn: str) -> tuple[str, ...]:
    """The models that a migrated database has vectors of, the active one first."""
    async with connected(dsn) as connection:
        stamp = await read_stamp(connection)
    return () if stamp is None else stamp.names


def migrations() -> list[Path]:
    """The files in the order in which they are applied."""
    return sorted(DIRECTORY.glob("*.sql"))


@asynccontextmanager
async def connected(dsn: str) -> AsyncGenerator[Connection]:
    """A connection of its own, as whoever the address names; errors say what to do."""
    async with translated_errors():
        connection = await _connect(dsn)
        try:
            yield connection
        finally:
            await connection.close()


async def _connect(dsn: str) -> Connection:
    """Whoever migrates can act on the reason, so it is told; a driver's text holds no password."""
    try:
        return await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    except ValueError:
        raise ConfigurationError(
            "FLEETMEM_DATABASE_URL is no address: write postgresql://USER:PASSWORD@HOST:PORT/NAME"
        ) from None
    except GONE as error:
        reason = str(error) or f"no answer within {CONNECT_SECONDS} seconds"
        raise DatabaseUnavailable(
            f"cannot reach the database: {reason}; start it, or mend FLEETMEM_DATABASE_URL"
        ) from error


async def _require_pgvector(connection: Connection) -> None:
    found = await connection.fetchval(
        "select coalesce((select extversion from pg_extension where extname = 'vector'),"
        " (select default_version from pg_available_extensions where name = 'vector'))"
    )
    least = ".".join(map(str, LEAST_PGVECTOR))
    if found is None:
        raise DatabaseTooOld(f"this Postgres has no pgvector; install pgvector {least} or newer")
    if tuple(int(part) for part in found.split(".")[:3]) < LEAST_PGVECTOR:
        raise DatabaseTooOld(
            f"pgvector {found} can corrupt its indexes; update it to {least} or newer, "
            "then run `alter extension vector update`"
        )


async def _applied(connection: Connection) -> set[str]:
    """What was applied before; raises when it is not what our files hold."""
    ours = {path.stem: _digest(path.read_bytes()) for path in migrations()}
    rows = await connection.fetch("select version, sha256 from schema_migrations order by version")
    for row in rows:
        if row["version"] not in ours:
            raise ConfigurationError(
                f"the database has migration {row['version']}, which this version of fleetmem "
                "does not know; run the newer version"
            )
        if row["sha256"] != ours[row["version"]]:
            raise ConfigurationError(
                f"migration {row['version']} was edited after it had been applied; "
                "restore the file, and put the change into a new migration"
            )
    return {row["version"] for row in rows}


async def _apply(connection: Connection, version: str, text: bytes) -> str:
    async with connection.transaction():
        try:
            await connection.execute(text.decode())
        except asyncpg.InsufficientPrivilegeError as error:
            raise ConfigurationError(f"migration {version} may not be applied: {error}") from error
        await connection.execute(
            "insert into schema_migrations (version, sha256) values ($1, $2)",
            version,
            _digest(text),
        )
    return version


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
