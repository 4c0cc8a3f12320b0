import asyncio

import pytest
from pydantic import SecretStr

from serve_app.core.memory import Scope
from serve_app.settings import load_settings
from serve_app.storage import scopes as module
from serve_app.storage.connection import open_pool
from serve_app.storage.scopes import ScopeIds
from tests.storage.owner import ask

PROCESSES = 8
SCOPES = [Scope(1, f"agent-{n % 7}", f"user-{n}") for n in range(40)]


async def test_many_processes_give_a_scope_one_id(fresh_dsn: str) -> None:
    settings = load_settings(
        database_url=SecretStr(fresh_dsn), db_min_pool_size=1, db_max_pool_size=2
    )
    pools = [await open_pool(settings) for _ in range(PROCESSES)]
    orders = [SCOPES[shift:] + SCOPES[:shift] for shift in range(0, PROCESSES * 5, 5)]
    try:
        given = await asyncio.gather(
            *(ScopeIds(pool).of(order) for pool, order in zip(pools, orders, strict=True))
        )
        [made] = await ask(fresh_dsn, "select count(*) from scopes")
    finally:
        await asyncio.gather(*(pool.close() for pool in pools))
    maps = [dict(zip(order, ids, strict=True)) for order, ids in zip(orders, given, strict=True)]
    assert all(each == maps[0] for each in maps)
    assert len(set(maps[0].values())) == made == len(SCOPES)


async def test_ids_come_in_order_and_are_remembered_within_bounds(
    fresh_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_SCOPES", 10)
    pool = await open_pool(load_settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1))
    try:
        ids = ScopeIds(pool)
        first = await ids.of(SCOPES)
        assert await ids.of(SCOPES[::-1]) == first[::-1]
        assert await ids.of([SCOPES[3], SCOPES[3]]) == [first[3]] * 2
        assert await ids.of([]) == []
    finally:
        await pool.close()
