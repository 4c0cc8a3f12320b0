"""The pool of connections, and the one place where a driver's error becomes ours."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from math import ceil
from types import TracebackType
from typing import Any, TypeAlias

import asyncpg
from pgvector import HalfVector
from pgvector.asyncpg import register_vector

from serve_app.core.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    ModelChanged,
    QuotaExceeded,
)
from serve_app.settings import Settings
from serve_app.storage.connection_pool import ConnectionPool
from serve_app.storage.roles import Role, explained_refusals, require_row_security

Pool: TypeAlias = ConnectionPool
Connection: TypeAlias = asyncpg.Connection

LOCK_TIMEOUT_SECONDS = 5
ACQUIRE_TIMEOUT_SECONDS = 10.0
NO_ADDRESS = "set FLEETMEM_DATABASE_URL to the address of a Postgres"

OVER_QUOTA = "FM001"
"""What require_room() raises."""

OTHER_MODEL = "FM002"
"""What enter_model() and enter_writing() raise."""

GONE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
)
"""What a driver raises when the server is away, too slow or too busy: never the caller's fault."""

ABANDONED = (asyncio.CancelledError, TimeoutError)
"""What leaves a statement behind that may still run."""


async def open_pool(settings: Settings, role: Role = "fleetmem_service") -> Pool:
    """A pool with `db_min_pool_size` open connections, each of which acts as `role`.

    Raises ConfigurationError without a database URL and where row security would not hold,
    DatabaseUnavailable without a server.
    """
    if settings.database_url is None:
        raise ConfigurationError(NO_ADDRESS)
    pool = ConnectionPool(
        partial(_connect, settings, role),
        min(settings.db_min_pool_size, settings.db_max_pool_size),
        settings.db_max_pool_size,
    )
    async with translated_errors(), explained_refusals(role):
        try:
            await pool.open()
            async with acquired(pool) as connection:
                await require_row_security(connection, role)
        except BaseException:
            await pool.close()
            raise
        return pool


@asynccontextmanager
async def owner_connection(settings: Settings) -> AsyncGenerator[Connection]:
    """A connection as whoever owns the tables: builds need that, and may take hours."""
    url = settings.owner_database_url or settings.database_url
    if url is None:
        raise ConfigurationError(NO_ADDRESS)
    async with translated_errors():
        connection = await asyncpg.connect(
            url.get_secret_value(), timeout=ceil(settings.db_connect_timeout)
        )
        try:
            yield connection
        finally:
            await connection.close()


def pool_usage(pool: Pool) -> tuple[int, int]:
    """How many connections work, and how many wait."""
    return pool.usage()


@asynccontextmanager
async def translated_errors() -> AsyncGenerator[None]:
    """Turn the driver's errors into DatabaseUnavailable, without their text."""
    try:
        yield
    except GONE as error:
        raise _unavailable() from error


def acquired(pool: Pool) -> "_Acquired":
    """A connection of the pool for one statement, within `async with`; errors are translated.

    Waits ten seconds at most while all of them work, then raises DatabaseUnavailable.
    """
    return _Acquired(pool)


class _Acquired:
    # A class, since two nested generators cost a search a tenth of its time in this process.
    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        connection = self._pool.take_idle()
        if connection is None:
            try:
                connection = await self._pool.take(ACQUIRE_TIMEOUT_SECONDS)
            except GONE as error:
                raise _unavailable() from error
        self._connection = connection
        return connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._pool.give_back(self._connection)
            return
        if isinstance(error, ABANDONED):
            self._pool.settle(self._connection)
        else:
            self._pool.give_back(self._connection)
        if isinstance(error, GONE):
            raise _unavailable() from error
        if getattr(error, "sqlstate", None) == OVER_QUOTA:
            raise QuotaExceeded("the tenant's quota is used up") from error
        if getattr(error, "sqlstate", None) == OTHER_MODEL:
            raise ModelChanged("the embedding model was changed meanwhile; try again") from error


@asynccontextmanager
async def transaction(pool: Pool, tenant_id: int) -> AsyncGenerator[Connection]:
    """A connection within a transaction that sees one tenant's rows; errors are translated."""
    async with acquired(pool) as connection, connection.transaction():
        await connection.execute("select enter_tenant($1)", tenant_id)
        yield connection


async def _connect(settings: Settings, role: Role) -> Connection:
    """A connection that acts as `role`, for the pool."""
    assert settings.database_url is not None  # open_pool has looked
    connection = await asyncpg.connect(
        settings.database_url.get_secret_value(),
        command_timeout=settings.db_command_timeout,
        timeout=ceil(settings.db_connect_timeout),
        # A statement that is in use is not prepared anew every five minutes.
        max_cached_statement_lifetime=0,
        server_settings={**_server_settings(settings), "role": role},
    )
    try:
        await prepare(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def prepare(connection: Connection) -> None:
    """Let vectors travel in binary; raise ConfigurationError for a database without schema.

    A halfvec is sent as the bytes that `to_halfvec` makes.
    """
    try:
        await register_vector(connection)
        await connection.set_type_codec(
            "halfvec", encoder=bytes, decoder=HalfVector.from_binary, format="binary"
        )
    except ValueError as error:  # pgvector's word for a database without its types
        raise ConfigurationError(
            "the database has no schema yet: run `fleetmem migrate`"
        ) from error


def _unavailable() -> DatabaseUnavailable:
    return DatabaseUnavailable("the database does not answer; try again")


def _server_settings(settings: Settings) -> dict[str, Any]:
    milliseconds = int(settings.db_command_timeout * 1000)
    return {
        "application_name": "fleetmem",
        # Of scopes that are made from now on.
        "fleetmem.language": settings.search_language,
        "statement_timeout": str(milliseconds),
        "lock_timeout": str(LOCK_TIMEOUT_SECONDS * 1000),
        "idle_in_transaction_session_timeout": str(milliseconds),
        "jit": "off",
    }
