"""`fleetmem tenant limits`, on a real database."""

import asyncio

import asyncpg
import pytest

from serve_app.core.errors import InvalidInput, TenantNotFound
from tests.test_key_commands import fleetmem, refuse


def stored(dsn: str) -> list[tuple[object, ...]]:
    async def ask() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(dsn)
        try:
            rows = await connection.fetch(
                "select rates, max_memories, max_bytes from tenant_limits"
            )
            return [tuple(row) for row in rows]
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_what_is_named_is_set_and_the_rest_stays(fresh_dsn: str) -> None:
    fleetmem(fresh_dsn, "tenant", "limits", "default", "--rate", "tenant=90/m", "--memories", "10")
    assert stored(fresh_dsn) == [('{"tenant": "90/minute"}', 10, None)]
    words = ("--rate", "key=unlimited", "--rate", "tenant=default", "--bytes", "5_000")
    told = fleetmem(fresh_dsn, "tenant", "limits", "default", *words).stdout
    assert stored(fresh_dsn) == [('{"key": "unlimited"}', 10, 5000)]
    assert "memories  0 of 10" in told
    assert "bytes     0 of 5,000" in told
    assert "agent_writes    as the settings say" in told
    fleetmem(fresh_dsn, "tenant", "limits", "default", "--memories", "none")
    assert stored(fresh_dsn) == [('{"key": "unlimited"}', None, 5000)]


@pytest.mark.parametrize(
    "words", [("--rate", "sky=1/s"), ("--rate", "tenant=fast"), ("--memories", "-1")]
)
def test_what_is_no_limit_is_refused(fresh_dsn: str, words: tuple[str, ...]) -> None:
    error = refuse(fresh_dsn, "tenant", "limits", "default", *words)
    assert isinstance(error, InvalidInput)
    assert stored(fresh_dsn) == []


def test_an_unknown_tenant_is_named(fresh_dsn: str) -> None:
    assert isinstance(refuse(fresh_dsn, "tenant", "limits", "nobody"), TenantNotFound)
