"""The languages of scopes: of new ones by default, and of one that is read anew."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from serve_app.core.errors import ConfigurationError, InvalidInput
from serve_app.core.memory import Scope
from serve_app.core.ranking_default import WHOLE_TENANT, RankingDefault
from serve_app.settings import Settings
from serve_app.storage.connection import Pool, open_pool, transaction
from serve_app.storage.languages import require_language_of
from serve_app.storage.memories import PostgresMemories
from serve_app.storage.ranking_defaults import PostgresRankingDefaults
from tests.contracts.samples import sample, store
from tests.storage.owner import ask, execute


@pytest.fixture
def settings(fresh_dsn: str) -> Settings:
    return Settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1, search_language="simple")


@pytest.fixture
async def pool(settings: Settings, fresh_dsn: str) -> AsyncIterator[Pool]:
    await execute(fresh_dsn, "insert into tenants (tenant_id, name) values (2, 'other')")
    pool = await open_pool(settings)
    yield pool
    await pool.close()


@pytest.fixture
def memories(pool: Pool, settings: Settings) -> PostgresMemories:
    return PostgresMemories(pool, settings)


@pytest.fixture
def defaults(pool: Pool) -> PostgresRankingDefaults:
    return PostgresRankingDefaults(pool)


async def test_new_scopes_take_the_language_of_their_agent_or_tenant(
    memories: PostgresMemories, defaults: PostgresRankingDefaults, fresh_dsn: str
) -> None:
    await store(memories, [sample("x", Scope(1, "a", "old"))])
    await defaults.put(1, RankingDefault(WHOLE_TENANT, "hybrid", "german"))
    await defaults.put(1, RankingDefault("a", None, "french"))
    await defaults.put(1, RankingDefault("b", "blend", None))
    scopes = [Scope(1, "a", "old"), *(Scope(t, agent, "u") for t in (1, 2) for agent in "abc")]
    await store(memories, [sample("x", scope) for scope in scopes])
    told = await ask(
        fresh_dsn,
        "select concat_ws(' ', tenant_id, agent_id, user_id, language) from scopes"
        " order by tenant_id, agent_id, user_id",
    )
    assert told == [
        *("1 a old simple", "1 a u french", "1 b u german", "1 c u german"),
        *("2 a u simple", "2 b u simple", "2 c u simple"),
    ]


async def words(dsn: str) -> list[str]:
    return await ask(dsn, "select lexeme from memory_words where lexeme > '' order by 1")


async def test_the_words_of_a_scope_are_read_anew(
    memories: PostgresMemories, defaults: PostgresRankingDefaults, fresh_dsn: str
) -> None:
    await store(memories, [sample("Häuser", Scope(1, "a", "u"))])
    with pytest.raises(InvalidInput):
        await defaults.change_language(2, "a", "u", "german")
    assert await words(fresh_dsn) == ["häuser"]
    await defaults.change_language(1, "a", "u", "german")
    assert await words(fresh_dsn) == ["haus"]


async def test_a_write_meanwhile_gets_the_new_words(
    memories: PostgresMemories, defaults: PostgresRankingDefaults, pool: Pool, fresh_dsn: str
) -> None:
    await store(memories, [sample("Häuser", Scope(1, "a", "u"))])
    async with transaction(pool, 1) as connection:
        await connection.execute("select change_language(1, 'a', 'u', 'german')")
        write = asyncio.create_task(store(memories, [sample("Bäume", Scope(1, "a", "u"))]))
        waiting = "select count(*) from pg_locks where not granted"
        while await ask(fresh_dsn, waiting) == [0]:
            assert not write.done()
    await write
    assert await words(fresh_dsn) == ["baum", "haus"]


async def test_a_setting_without_such_a_language_is_refused_with_those_there_are(
    fresh_dsn: str,
) -> None:
    await require_language_of(fresh_dsn, "german")
    with pytest.raises(ConfigurationError, match=r"germn.*english, .*german, .*simple"):
        await require_language_of(fresh_dsn, "germn")
