"""The text search configurations of this Postgres, which say what a word is."""

from serve_app.core.errors import ConfigurationError
from serve_app.storage.connection import Connection
from serve_app.storage.migrate import connected


async def list_languages(connection: Connection) -> list[str]:
    """Their names as a scope's `language` may give them."""
    rows = await connection.fetch("select oid::regconfig::text from pg_ts_config order by 1")
    return [row[0] for row in rows]


async def require_language(connection: Connection, language: str) -> None:
    """Raise ConfigurationError unless the setting search_language names one of them."""
    known = await list_languages(connection)
    if language not in known:
        raise ConfigurationError(
            f"search_language is {language}, and this Postgres has no such text search "
            f"configuration: take one of {', '.join(known)}"
        )


async def require_language_of(dsn: str, language: str) -> None:
    """See require_language; for a start that has no pool yet."""
    async with connected(dsn) as connection:
        await require_language(connection, language)
