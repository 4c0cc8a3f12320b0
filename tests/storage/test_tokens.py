from pydantic import SecretStr

from serve_app.core.rate_limits import RateLimit
from serve_app.core.token_window import TokenRequest
from serve_app.settings import load_settings
from serve_app.storage.connection import open_pool
from serve_app.storage.tokens import PostgresTokens
from tests.storage.owner import ask, execute


async def test_windows_that_say_nothing_are_forgotten(fresh_dsn: str):
    settings = load_settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1)
    pool = await open_pool(settings)
    maintenance = await open_pool(settings, "fleetmem_maintenance")
    for subject in (b"old", b"new"):
        await PostgresTokens(pool).lease(TokenRequest(1, subject, RateLimit(5, 60.0), 1, 1, 0))
    await execute(fresh_dsn, "update token_windows set ends_at = now() where subject = 'old'")
    await PostgresTokens(maintenance).forget_idle()
    assert await ask(fresh_dsn, "select subject from token_windows") == [b"new"]
    await pool.close()
    await maintenance.close()


async def test_leases_of_many_tenants_leave_in_one_statement(fresh_dsn: str):
    await execute(fresh_dsn, "insert into tenants (tenant_id, name) values (2, 'other')")
    settings = load_settings(database_url=SecretStr(fresh_dsn), db_min_pool_size=1)
    pool = await open_pool(settings)
    limits = [RateLimit(3, 60.0), RateLimit(2, 60.0), RateLimit(1, 60.0)]
    requests = [
        TokenRequest(tenant_id, subject, limit, 1, 9, 0)
        for tenant_id, subject, limit in zip((2, 1, 2), (b"z", b"y", b"a"), limits, strict=True)
    ]
    granted = [grant.granted for grant in await PostgresTokens(pool).lease_many(requests)]
    assert granted == [3, 2, 1]
    await pool.close()
