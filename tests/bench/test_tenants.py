"""The fleets that `bench tenants` compares: whose rows they are, and who may ask for them."""

import asyncpg

from bench.tenants import AGENTS, MEMORIES, Fleet, fill, searches
from serve_app.core.keys import digest_key, find_key_id


async def test_every_tenant_has_its_agents_and_those_asked_their_keys(fresh_dsn: str) -> None:
    callers = await fill(fresh_dsn, Fleet(tenants=4, asked=2))
    assert len(callers) == 2 * AGENTS
    connection = await asyncpg.connect(fresh_dsn)
    try:
        counts = await connection.fetch(
            """select count(*) from memories m
            join scopes s on s.scope_id = m.scope_id and s.tenant_id = m.tenant_id
            join memory_words w on (w.memory_id, w.tenant_id, w.lexeme) = (m.id, s.tenant_id, '')
            group by s.tenant_id, s.agent_id"""
        )
        for key, agent, user in callers:
            found = await connection.fetchval(
                """select count(*) from api_keys k join scopes s using (tenant_id)
                where k.key_id = $1 and k.digest = $2 and s.agent_id = $3 and s.user_id = $4""",
                *(find_key_id(key), digest_key(key), agent, user),
            )
            assert found == 1
    finally:
        await connection.close()
    assert [row[0] for row in counts] == [MEMORIES] * 4 * AGENTS


def test_a_search_carries_the_key_of_its_caller() -> None:
    request = next(searches([("fm_live_x", "agent-1", "user-1")], seed=1))
    assert b"\r\nAuthorization: Bearer fm_live_x\r\n" in request.encode("host")
    assert b'"agent_id": "agent-1"' in request.body
