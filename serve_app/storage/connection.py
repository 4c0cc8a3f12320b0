"""The pool of connections, and the one place where a driver's error becomes ours."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from math import ceil
from types import TracebackType
from typing import Any, TypeAlias

import asyncpg
from pgvector.asyncpg import register_vector

from serve_app.core.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    ModelChanged,
    QuotaExceeded,
)
from serve_app.settings import Settings
from serve_app.storage.roles import Role, explained_refusals, require_row_security

Pool: TypeAlias = asyncpg.Pool
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


async def open_pool(settings: Settings, role: Role = "fleetmem_service") -> Pool:
    """A pool with `db_min_pool_size` open connections, each of which acts as `role`.

    Raises ConfigurationError without a database URL and where row security would not hold,
    DatabaseUnavailable without a server.
    """
    if settings.database_url is None:
        raise ConfigurationError(NO_ADDRESS)
    async with translated_errors(), explained_refusals(role):
        pool = await asyncpg.create_pool(
            settings.database_url.get_secret_value(),
            min_size=min(settings.db_min_pool_size, settings.db_max_pool_size),
            max_size=settings.db_max_pool_size,
            command_timeout=settings.db_command_timeout,
            timeout=settings.db_connect_timeout,
            init=prepare,
            # Nothing here sets session state, and the default reset costs a round trip.
            reset=_keep,
            server_settings={**_server_settings(settings), "role": role},
        )
        try:
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
    idle = pool.get_idle_size()
    return pool.get_size() - idle, idle


@asynccontextmanager
async def translated_errors() -> AsyncGenerator[None]:
    """Turn the driver's errors into DatabaseUnavailable, without their text."""
    try:
        yield
    except GONE as error:
        raise _unavailable() from error


class acquired:  # noqa: N801  # reads as `async with acquired(pool) as connection`
    """A connection of the pool for one statement; errors are translated.

    Waits ten seconds at most while all of them work, then raises DatabaseUnavailable.
    """

    # A class, since two nested generators cost a search a tenth of its time in this process.
    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        # asyncpg makes a task to watch over a timeout, and an idle connection needs none.
        timeout = None if self._pool.get_idle_size() else ACQUIRE_TIMEOUT_SECONDS
        try:
            self._connection = await self._pool.acquire(timeout=timeout)
        except GONE as error:
            raise _unavailable() from error
        return self._connection  # type: ignore[return-value]  # a proxy with its interface

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._pool.release(self._connection)
        except GONE as lost:
            raise _unavailable() from lost
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


async def prepare(connection: Connection) -> None:
    """Let vectors travel in binary; raise ConfigurationError for a database without schema."""
    try:
        await register_vector(connection)
    except ValueError as error:  # pgvector's word for a database without its types
        raise ConfigurationError(
            "the database has no schema yet: run `fleetmem migrate`"
        ) from error


async def _keep(connection: Connection) -> None:
    """Leave the connection as it is."""


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
