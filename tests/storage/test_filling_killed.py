"""kill -9 of whoever fills: a batch is stored whole or not at all, and the next one goes on."""

import asyncio
import os
import signal
import subprocess
import sys

import asyncpg

from serve_app.embedding.preparation import prepare_model
from serve_app.embedding.registry import MINILM, MINILM_INT8
from serve_app.settings import load_settings
from serve_app.storage.model_change import begin_change
from serve_app.storage.model_stamp import adopt_model
from tests.storage.owner import execute

MEMORIES = 1500
FILL = """
insert into scopes (scope_id, tenant_id, agent_id, user_id) values (7, 1, 'a', 'u');
insert into memories (id, tenant_id, scope_id, content, kind, importance, created_at, occurred_at,
  updated_at, content_hash)
select gen_random_uuid(), 1, 7, 'Parcel ' || n || ' left the depot', 'episodic', 0.5, now(), now(),
       now(), sha256(n::text::bytea) from generate_series(1, 1500) n"""
LEFT = "select count(*) from vectors_owed"
FILLED = "select count(distinct memory_id) from second_set.memory_vectors"


def start_filling(dsn: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "serve_app", "reembed", "--here", "--database-url", dsn]
    return subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, text=True)


async def test_filling_goes_on_after_a_kill(fresh_dsn: str) -> None:
    prepare_model(MINILM_INT8, load_settings().model_directory.expanduser(), lambda line: None)
    connection = await asyncpg.connect(fresh_dsn)
    await adopt_model(connection, MINILM.name, MINILM.dimension)
    await execute(fresh_dsn, FILL)
    await begin_change(connection, MINILM_INT8.name, MINILM_INT8.dimension)
    filling = start_filling(fresh_dsn)
    while await connection.fetchval(LEFT) == MEMORIES:
        assert filling.poll() is None, filling.stderr and filling.stderr.read()
        await asyncio.sleep(0.01)
    os.kill(filling.pid, signal.SIGKILL)
    filling.communicate()
    async with connection.transaction(isolation="repeatable_read"):
        left, filled = await connection.fetchval(LEFT), await connection.fetchval(FILLED)
    assert 0 < left < MEMORIES
    assert left + filled == MEMORIES
    resumed = start_filling(fresh_dsn)
    _, told = await asyncio.to_thread(resumed.communicate)
    assert resumed.returncode == 0, told
    assert await connection.fetchval(LEFT) == 0
    assert await connection.fetchval(FILLED) == MEMORIES
    await connection.close()
