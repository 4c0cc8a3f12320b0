"""What the contract of keys cannot say: who may start, and what the service's role may not do."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
from pydantic import SecretStr

from serve_app.core.errors import NoKeys
from serve_app.core.keys import KEY_BYTES, KeyDraft, digest_key, make_key
from serve_app.core.principal import MEMORY_READ
from serve_app.settings import load_settings
from serve_app.storage.connection import Pool, acquired, open_pool, transaction
from serve_app.storage.keys import PostgresKeys, require_keys_of

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ISSUED = make_key(KeyDraft(1, frozenset({MEMORY_READ})), NOW, bytes(KEY_BYTES))


@pytest.fixture
async def pool(fresh_dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(
        load_settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1, db_max_pool_size=1)
    )
    await PostgresKeys(pool).add_key(ISSUED.key, digest_key(ISSUED.text))
    yield pool
    await pool.close()


async def test_a_start_without_keys_needs_leave(fresh_dsn: str) -> None:
    assert await require_keys_of(fresh_dsn, open_allowed=True) is False
    with pytest.raises(NoKeys, match="fleetmem key create --operator"):
        await require_keys_of(fresh_dsn, open_allowed=False)


@pytest.mark.usefixtures("pool")
async def test_one_key_is_enough_for_a_start(fresh_dsn: str) -> None:
    assert await require_keys_of(fresh_dsn, open_allowed=False) is True


async def test_no_key_is_seen_that_is_not_named(pool: Pool) -> None:
    await PostgresKeys(pool).find([ISSUED.key.key_id])
    async with acquired(pool) as connection:
        assert await connection.fetch("select * from api_keys") == []
        assert await connection.fetch("select * from tenants") == []
    async with transaction(pool, 2) as connection:
        assert await connection.fetch("select * from api_keys") == []
    async with transaction(pool, 1) as connection:
        assert len(await connection.fetch("select * from api_keys")) == 1


@pytest.mark.parametrize(
    "change",
    [
        "update api_keys set digest = ''",
        "update api_keys set scopes = '{operator}'",
        "update api_keys set tenant_id = 2",
        "update api_keys set key_id = 'other'",
        "delete from api_keys",
        "delete from tenants",
        "insert into tenants (name) values ('mine')",
        "insert into api_keys values ('x', 2, sha256(''), '', '{operator}', now())",
    ],
)
async def test_what_the_service_cannot_do_to_a_key(pool: Pool, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(pool, 1) as connection:
            await connection.execute(change)


async def test_a_change_by_hand_is_noticed(pool: Pool, fresh_dsn: str) -> None:
    keys = PostgresKeys(pool)
    before = (await keys.find([])).epoch
    connection = await asyncpg.connect(fresh_dsn)
    await connection.execute("delete from api_keys")
    await connection.close()
    found = await keys.find([ISSUED.key.key_id])
    assert (found.records, found.any_made) == ({}, True)
    assert found.epoch > before
