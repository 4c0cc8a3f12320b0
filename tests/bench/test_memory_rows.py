"""What a binary COPY stores must be what was made, or no benchmark of it means anything."""

import asyncpg
import numpy as np
from pgvector.asyncpg import register_vector

from bench.memory_growth import measure_growth
from bench.memory_rows import NOW, load, make_even_rows, make_skewed_rows

INDEXES = "select indexname from pg_indexes where tablename in ('memories', 'memory_vectors')"


async def test_loaded_rows_are_what_was_made(fresh_dsn: str) -> None:
    connection = await asyncpg.connect(fresh_dsn)
    try:
        await register_vector(connection)
        indexes = {row[0] for row in await connection.fetch(INDEXES)}
        await load(fresh_dsn, make_even_rows(50, 5, seed=2))
        rows = make_skewed_rows(200, seed=1)
        await load(fresh_dsn, rows)
        assert {row[0] for row in await connection.fetch(INDEXES)} == indexes
        stored = await connection.fetch(
            """select v.embedding, v.scope_id, v.occurred_at, m.content, s.user_id
            from memories m join memory_vectors v on v.memory_id = m.id
            join scopes s on s.scope_id = m.scope_id and s.tenant_id = m.tenant_id
            where v.active and v.kind = m.kind and v.occurred_at = m.occurred_at order by m.id"""
        )
    finally:
        await connection.close()
    assert len(stored) == len(rows.scope)
    assert np.array_equal([row["embedding"].to_numpy() for row in stored], rows.vectors)
    assert [row["user_id"] for row in stored] == [f"user-{number}" for number in rows.scope]
    ages = [(NOW - row["occurred_at"]).total_seconds() / 86_400 for row in stored]
    assert np.allclose(ages, rows.ages, atol=1e-9)
    assert stored[7]["content"] == "memory 000000007"


async def test_growth_is_measured_on_exact_answers(fresh_dsn: str) -> None:
    row = await measure_growth(fresh_dsn, (400, 4), 5)
    assert (row["rows"], row["scope"], row["recall"], row["short"]) == (400, 100, 1.0, 0)
