"""What tenants hold, what they may hold, and the rate limits that are theirs alone."""

import json

from serve_app.core.usage import OwnLimits, Quota, Usage
from serve_app.storage.connection import Pool, acquired, transaction
from serve_app.storage.queries import query


class PostgresLimits:
    """Implements ports.TenantLimits over a pool; `get` and `change` are an operator's."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def overrides(self) -> dict[int, dict[str, str]]:
        """See ports.TenantLimits."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch("select tenant_id, rates from limit_overrides()")
        return {row["tenant_id"]: json.loads(row["rates"]) for row in rows}

    async def get(self, tenant_id: int) -> OwnLimits:
        """What is set for a tenant; nothing where no operator has set anything."""
        async with transaction(self._pool, tenant_id) as connection:
            row = await connection.fetchrow(
                "select rates, max_memories, max_bytes from tenant_limits where tenant_id = $1",
                tenant_id,
            )
        if row is None:
            return OwnLimits()
        return OwnLimits(json.loads(row["rates"]), Quota(row["max_memories"], row["max_bytes"]))

    async def change(self, tenant_id: int, own: OwnLimits) -> None:
        """Set all of a tenant's own limits anew."""
        async with transaction(self._pool, tenant_id) as connection:
            await connection.execute(
                query("set_limits"),
                tenant_id,
                json.dumps(dict(own.rates)),
                own.quota.memories,
                own.quota.bytes,
            )

    async def usage(self, tenant_id: int) -> Usage:
        """See ports.TenantLimits."""
        async with transaction(self._pool, tenant_id) as connection:
            row = await connection.fetchrow(query("get_usage"), tenant_id)
        assert row is not None  # sums always give one
        return Usage(row["memories"], row["bytes"], Quota(row["max_memories"], row["max_bytes"]))
