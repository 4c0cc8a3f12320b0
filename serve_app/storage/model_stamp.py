"""Which model made the stored vectors."""

from serve_app.core.errors import ModelMismatch
from serve_app.storage.connection import Connection


async def adopt_model(connection: Connection, name: str, dimension: int) -> None:
    """Stamp a database without vectors; raise ModelMismatch for one of another model."""
    async with connection.transaction():
        await connection.execute("lock table embedding_model in share row exclusive mode")
        stamp = await connection.fetchrow("select name, dimension from embedding_model")
        if stamp is not None and (stamp["name"], stamp["dimension"]) == (name, dimension):
            return
        if await connection.fetchval("select exists (select from memory_vectors)"):
            stored = f"{stamp['name']} ({stamp['dimension']} dimensions)" if stamp else "unknown"
            raise ModelMismatch(
                f"the stored vectors were made by {stored}, not by {name} ({dimension} "
                "dimensions), and cannot be compared with its own; set "
                "FLEETMEM_EMBEDDING_MODEL to the stored one, or start with another database"
            )
        await connection.execute(
            f"alter table memory_vectors alter embedding type halfvec({int(dimension)})"
        )
        await connection.execute(
            "insert into embedding_model (name, dimension) values ($1, $2) "
            "on conflict (only_row) do update set name = $1, dimension = $2",
            name,
            dimension,
        )


async def require_model(connection: Connection, name: str) -> None:
    """Raise ModelMismatch unless the database is stamped with this model."""
    stored = await connection.fetchval("select name from embedding_model")
    if stored != name:
        raise ModelMismatch(
            f"the database is stamped for {stored or 'no model yet'}, and this replica runs {name};"
            " run `fleetmem migrate`, or set FLEETMEM_EMBEDDING_MODEL to the stored one"
        )
