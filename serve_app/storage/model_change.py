"""A change of the model on a live database: begun, looked at, and what it leaves cleaned up."""

from serve_app.core.errors import ConfigurationError
from serve_app.core.model_change import ModelChange
from serve_app.storage.connection import LOCK_TIMEOUT_SECONDS, Connection
from serve_app.storage.model_stamp import MODEL_LOCK, Stamp, read_stamp, shape_place
from serve_app.storage.queries import query

LONG_SECONDS = 24 * 3600.0


async def begin_change(connection: Connection, model: str, dimension: int) -> int:
    """Begin to fill vectors of `model`, or go on; returns how many memories are owed.

    Raises ConfigurationError for the active model, and while a change to another is under way.
    """
    stamp = await _require_stamp(connection)
    if stamp.name == model:
        raise ConfigurationError(f"the vectors are those of {model} already")
    if stamp.other not in (None, model):
        raise ConfigurationError(
            f"there are vectors of {stamp.other}, too: end that change with --clean-up first"
        )
    if stamp.other is None:
        await _open_place(connection, stamp, model, dimension)
    return await _list_owed(connection)


async def read_change(connection: Connection) -> ModelChange | None:
    """How far the change is, or None while there is none."""
    row = await connection.fetchrow(query("read_change"), timeout=600)
    return None if row is None else ModelChange(*row)


async def clean_up(connection: Connection) -> str | None:
    """Drop the vectors of the model that is not active; returns its name, or None if none was.

    Raises DatabaseUnavailable when what runs now does not end within seconds.
    """
    async with connection.transaction():
        await connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
        await connection.execute("select pg_advisory_xact_lock($1)", MODEL_LOCK)
        # Every search has read it before it reads vectors: those that run are waited for.
        await connection.execute("lock table embedding_model in access exclusive mode")
        stamp = await _require_stamp(connection)
        await connection.execute("update embedding_model set other = null, other_dimension = null")
        await connection.execute("delete from model_change")
        await _empty(connection, stamp.other_place)
    return stamp.other


async def _require_stamp(connection: Connection) -> Stamp:
    stamp = await read_stamp(connection)
    if stamp is None:
        raise ConfigurationError("the database has no vectors yet: run `fleetmem migrate`")
    return stamp


async def _open_place(connection: Connection, stamp: Stamp, model: str, dimension: int) -> None:
    """From the commit on, whatever is written is owed vectors of `model`."""
    async with connection.transaction():
        await shape_place(connection, stamp.other_place, dimension)
        await connection.execute("select pg_advisory_xact_lock($1)", MODEL_LOCK)
        await connection.execute(
            "update embedding_model set other = $1, other_dimension = $2", model, dimension
        )
        await connection.execute("delete from model_change")
        await connection.execute(
            "insert into model_change (origin, target) values ($1, $2)", stamp.name, model
        )


async def _list_owed(connection: Connection) -> int:
    """Owe vectors to every memory that was there before, once."""
    async with connection.transaction():
        listed = await connection.fetchval("select total from model_change for update")
        if listed is None:
            await connection.execute(
                "insert into vectors_owed select tenant_id, id from memories "
                "on conflict do nothing",
                timeout=LONG_SECONDS,
            )
            await connection.execute(
                "update model_change set total = (select count(*) from vectors_owed)"
            )
        return await connection.fetchval("select count(*) from vectors_owed") or 0


async def _empty(connection: Connection, place: str) -> None:
    """Empty a set and drop its vector index: a new one is built when it is due."""
    indexes = await connection.fetch(
        "select i.indexname from pg_indexes i join pg_class c on c.relname = i.indexname "
        "join pg_namespace n on n.oid = c.relnamespace and n.nspname = i.schemaname "
        "join pg_am a on a.oid = c.relam "
        "where i.schemaname = $1 and i.tablename = 'memory_vectors' "
        "and a.amname in ('ivfflat', 'hnsw')",
        place,
    )
    await connection.execute(f"truncate {place}.memory_vectors, {place}.ann_index, vectors_owed")
    for row in indexes:
        await connection.execute(f"drop index {place}.{row['indexname']}")
