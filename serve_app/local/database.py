"""The database of a command that is run beside the service, or while there is none."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from serve_app.local.postgres import EmbeddedPostgres, find_running
from serve_app.storage.migrate import migrate


@contextmanager
def reach_database(
    database_url: str | None, data_directory: Path, progress: Callable[[str], None]
) -> Generator[str]:
    """The address of the database that is named, or else of the embedded one in the directory.

    The embedded one is started, and made, when it does not run; it is stopped again afterwards.
    Raises ConfigurationError where it cannot be.
    """
    running = database_url or find_running(data_directory)
    if running is not None:
        yield running
        return
    progress(f"Starting Postgres in {data_directory} for this command")
    postgres = EmbeddedPostgres(data_directory).start()
    try:
        asyncio.run(migrate(postgres.dsn))
        yield postgres.dsn
    finally:
        postgres.stop()
