import asyncpg
import pytest

from serve_app.core.errors import ModelMismatch
from serve_app.storage.model_stamp import adopt_model, require_model

VECTOR = """
insert into scopes (scope_id, tenant_id, agent_id, user_id) values (1, 1, 'a', 'u');
insert into memories (id, tenant_id, scope_id, content, kind, importance, created_at, occurred_at,
  updated_at, content_hash)
values (gen_random_uuid(), 1, 1, 'x', 'episodic', 0.5, now(), now(), now(), '');
insert into memory_vectors (memory_id, ordinal, tenant_id, scope_id, span_start, span_end, kind,
  importance, occurred_at, active, embedding)
select id, 0, 1, 1, 0, 1, 'episodic', 0.5, now(), true, '[1,0,0,0]' from memories"""


async def test_an_empty_database_takes_any_model_and_a_full_one_only_its_own(
    fresh_dsn: str,
) -> None:
    connection = await asyncpg.connect(fresh_dsn)
    try:
        await adopt_model(connection, "first", 768)
        await adopt_model(connection, "tiny", 4)
        await connection.execute(VECTOR)
        await adopt_model(connection, "tiny", 4)
        await require_model(connection, "tiny")
        for name, dimension in (("other", 4), ("tiny", 8)):
            with pytest.raises(ModelMismatch, match=r"made by tiny .*another database"):
                await adopt_model(connection, name, dimension)
        with pytest.raises(ModelMismatch, match="stamped for tiny"):
            await require_model(connection, "other")
    finally:
        await connection.close()


async def test_a_database_without_a_stamp_fits_no_replica(fresh_dsn: str) -> None:
    connection = await asyncpg.connect(fresh_dsn)
    try:
        with pytest.raises(ModelMismatch, match="no model yet"):
            await require_model(connection, "any")
    finally:
        await connection.close()
