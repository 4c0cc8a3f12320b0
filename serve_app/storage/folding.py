"""What folding does to rows: memories move below a summary, and come back from it.

Every change of this kind holds its scope's advisory lock, so that two of them never interleave.
"""

from collections.abc import Sequence
from uuid import UUID

from serve_app.core.memory import Status
from serve_app.storage.connection import Connection
from serve_app.storage.queries import query

LOCK_SPACE = 730_177


async def lock_scope(connection: Connection, scope_id: int) -> None:
    """Hold the scope's folding lock until the transaction ends."""
    await connection.execute("select pg_advisory_xact_lock($1, $2)", LOCK_SPACE, scope_id)


async def set_status(
    connection: Connection, ids: Sequence[UUID], status: Status, superseded_by: UUID | None
) -> None:
    """Give memories a status, and their vectors the visibility that goes with it."""
    await connection.execute(query("set_status"), list(ids), status.value, superseded_by)


async def withdraw_summaries(connection: Connection, memory_id: UUID) -> None:
    """Delete every summary above a memory; what else they were made of is active again."""
    above = await _ids(
        connection,
        """with recursive above as (
             select superseded_by as id from memories where id = $1 and superseded_by is not null
             union
             select m.superseded_by from memories m join above a on m.id = a.id
             where m.superseded_by is not null
           ) select id from above""",
        memory_id,
    )
    if not above:
        return
    freed = [
        row["id"]
        for row in await connection.fetch(
            "select id from memories where superseded_by = any($1::uuid[]) and id <> all($1)",
            above,
        )
    ]
    await set_status(connection, freed, Status.ACTIVE, None)
    await connection.execute("delete from memories where id = any($1::uuid[])", above)


async def delete_with_sources(connection: Connection, memory_id: UUID) -> None:
    """Delete a memory and all that it was folded from, down to the leaves."""
    await connection.execute(
        """with recursive below as (
             select $1::uuid as id
             union
             select m.id from memories m join below b on m.superseded_by = b.id
           ) delete from memories where id in (select id from below)""",
        memory_id,
    )


async def _ids(connection: Connection, statement: str, memory_id: UUID) -> list[UUID]:
    return [row["id"] for row in await connection.fetch(statement, memory_id)]
