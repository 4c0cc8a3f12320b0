"""What memories take on disk, as Postgres says."""

import asyncio

import asyncpg

TABLES = ("memories", "memory_vectors")


def measure_bytes_each(database_url: str) -> dict[str, float]:
    """Bytes of one memory by table, heap and indexes apart, and the number of memories."""
    return asyncio.run(_measure(database_url))


async def _measure(database_url: str) -> dict[str, float]:
    connection = await asyncpg.connect(database_url)
    try:
        count = int(await connection.fetchval("select count(*) from memories"))
        sizes: dict[str, float] = {"memories": count}
        for table in TABLES:
            row = await connection.fetchrow(
                "select pg_table_size(name) as heap, pg_indexes_size(name) as index "
                "from (select $1::regclass as name) as tables",
                table,
            )
            assert row is not None
            sizes[f"{table} heap"] = round(row["heap"] / max(count, 1), 1)
            sizes[f"{table} indexes"] = round(row["index"] / max(count, 1), 1)
        return sizes
    finally:
        await connection.close()
