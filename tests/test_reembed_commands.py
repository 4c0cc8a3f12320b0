"""`fleetmem reembed` on a database without a service: its index, and the questions of a file."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from serve_app.core.errors import ConfigurationError, TenantNotFound
from serve_app.core.memory import Scope
from serve_app.operations.compare_models import Sample
from serve_app.operations.fill_vectors import fill, switch
from serve_app.reembed_queries import read_samples
from serve_app.settings import load_settings
from serve_app.storage.ann_index import tend_indexes
from serve_app.storage.connection import Pool, open_pool
from serve_app.storage.model_change import begin_change, clean_up, read_change
from serve_app.storage.model_stamp import enter_place
from tests.storage.model_site import NEW, OLD, Site, open_site
from tests.storage.owner import execute
from tests.test_key_commands import fleetmem, refuse

VECTOR_INDEXES = """
select count(*) from pg_indexes where tablename = 'memory_vectors' and indexdef like '%hnsw%'
  and schemaname = """
QUESTION = {"question": "where is the cat?", "agent_id": "a", "user_id": "u"}


@pytest.fixture
async def site(fresh_dsn: str) -> AsyncIterator[Site]:
    async with open_site(fresh_dsn) as site:
        for number in range(60):
            await site.add(number, f"memory {number}")
        yield site


async def tend(site: Site) -> None:
    """As Maintenance does, which has its own connection."""
    await site.owner.execute("analyze public.memory_vectors, second_set.memory_vectors")
    await tend_indexes(site.owner, "hnsw", 10, 20)
    await enter_place(site.owner, "public")


async def is_index_missing(site: Site) -> bool:
    change = await read_change(site.owner)
    assert change is not None
    return change.index_missing


async def count_indexes(site: Site) -> list[int]:
    found: list[int] = []
    for place in ("public", "second_set"):
        statement = f"{VECTOR_INDEXES} '{place}'"  # our own
        found.append(await site.owner.fetchval(statement) or 0)
    return found


async def test_a_cut_over_waits_for_the_index_that_searches_have_now(site: Site) -> None:
    await tend(site)
    await begin_change(site.owner, NEW.model, 64)
    await fill(site.owed, NEW, site.meter)
    assert await count_indexes(site) == [1, 0]
    error = await asyncio.to_thread(refuse, site.dsn, "reembed", "--cut-over")
    assert isinstance(error, ConfigurationError)
    assert "index of new is not built yet" in error.message
    await tend(site)
    assert await count_indexes(site) == [1, 1]
    assert not await is_index_missing(site)
    old = await site.search("memory 7", OLD, 10)
    await switch(site.owed, NEW, site.meter)
    assert await site.search("memory 7", OLD, 10) == old
    assert len(await site.search("memory 7", NEW, 10)) == 10
    assert not await is_index_missing(site)  # the way back has its index, too
    await clean_up(site.owner)
    assert await count_indexes(site) == [0, 1]


async def test_a_cut_over_without_an_index_waits_for_none(site: Site) -> None:
    await site.change()
    assert not await is_index_missing(site)
    told = await asyncio.to_thread(fleetmem, site.dsn, "reembed", "--status")
    assert "index" not in told.stderr
    await switch(site.owed, NEW, site.meter)
    assert not await is_index_missing(site)


@pytest.fixture
async def pool(fresh_dsn: str) -> AsyncIterator[Pool]:
    await execute(fresh_dsn, "insert into tenants (tenant_id, name) values (2, 'other')")
    settings = load_settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1)
    pool = await open_pool(settings)
    yield pool
    await pool.close()


def write(path: Path, *lines: object) -> Path:
    file = path / "questions.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    return file


async def test_questions_of_a_file_know_their_scopes(pool: Pool, tmp_path: Path) -> None:
    file = write(tmp_path, QUESTION, QUESTION | {"tenant": "other"})
    text = QUESTION["question"]
    assert await read_samples(file, pool) == [
        Sample(text, Scope(1, "a", "u")),
        Sample(text, Scope(2, "a", "u")),
    ]


async def test_what_is_no_question_is_refused(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"line 2: user_id must be a text"):
        await read_samples(write(tmp_path, QUESTION, QUESTION | {"user_id": 7}), pool)
    with pytest.raises(TenantNotFound):
        await read_samples(write(tmp_path, QUESTION | {"tenant": "nobody"}), pool)
