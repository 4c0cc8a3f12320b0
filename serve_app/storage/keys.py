"""Tenants and keys in Postgres."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

from serve_app.core.errors import KeyNotFound, NameTaken, NoKeys, TenantNotFound
from serve_app.core.keys import ApiKey, KeyRecord, KeysFound, Tenant
from serve_app.core.principal import Principal
from serve_app.storage.connection import Connection, Pool, acquired, transaction
from serve_app.storage.migrate import connected
from serve_app.storage.queries import query


class PostgresKeys:
    """Implements ports.Keys over a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, key_ids: Sequence[str]) -> KeysFound:
        """See ports.Keys. One statement, which sees one moment."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(query("find_keys"), key_ids)
        records = {row["key_id"]: _to_record(row) for row in rows if row["key_id"] is not None}
        return KeysFound(rows[0]["epoch"], rows[0]["any_made"], records)

    async def touch(self, used: Mapping[str, datetime]) -> None:
        """See ports.Keys."""
        ids = list(used)
        async with _declared(self._pool, "fleetmem.key_ids", ",".join(ids)) as connection:
            await connection.execute(query("touch_keys"), ids, list(used.values()))

    async def add_key(self, key: ApiKey, digest: bytes) -> None:
        """See ports.Keys."""
        async with transaction(self._pool, key.tenant_id) as connection:
            await _insert(connection, key, digest)

    async def get_key(self, tenant_id: int, key_id: str) -> ApiKey:
        """See ports.Keys."""
        async with transaction(self._pool, tenant_id) as connection:
            row = await connection.fetchrow(query("get_keys"), tenant_id, key_id)
        if row is None:
            raise KeyNotFound("no such key")
        return _to_key(row)

    async def list_keys(self, tenant_id: int) -> list[ApiKey]:
        """See ports.Keys."""
        async with transaction(self._pool, tenant_id) as connection:
            rows = await connection.fetch(query("get_keys"), tenant_id, None)
        return [_to_key(row) for row in rows]

    async def revoke_key(self, tenant_id: int, key_id: str, now: datetime) -> None:
        """See ports.Keys."""
        async with transaction(self._pool, tenant_id) as connection:
            ended = await connection.execute(
                "update api_keys set revoked_at = coalesce(revoked_at, $3)"
                " where tenant_id = $1 and key_id = $2",
                tenant_id,
                key_id,
                now,
            )
        _require_one(ended)

    async def replace_key(self, retired: ApiKey, key: ApiKey, digest: bytes) -> None:
        """See ports.Keys."""
        async with transaction(self._pool, key.tenant_id) as connection:
            ended = await connection.execute(
                "update api_keys set expires_at = $3"
                " where tenant_id = $1 and key_id = $2 and revoked_at is null",
                retired.tenant_id,
                retired.key_id,
                retired.expires_at,
            )
            _require_one(ended)
            await _insert(connection, key, digest)

    async def add_tenant(self, name: str, now: datetime) -> Tenant:
        """See ports.Keys."""
        async with _operating(self._pool) as connection:
            row = await connection.fetchrow(
                "insert into tenants (name, created_at) values ($1, $2)"
                " on conflict do nothing returning *",
                name,
                now,
            )
        if row is None:
            raise NameTaken(f"there is a tenant {name} already")
        return _to_tenant(row)

    async def list_tenants(self) -> list[Tenant]:
        """See ports.Keys."""
        async with _operating(self._pool) as connection:
            rows = await connection.fetch("select * from tenants order by tenant_id")
        return [_to_tenant(row) for row in rows]

    async def find_tenant(self, name: str) -> Tenant:
        """See ports.Keys."""
        async with _operating(self._pool) as connection:
            row = await connection.fetchrow("select * from tenants where name = $1", name)
        return _require_tenant(row, name)

    async def set_suspended(self, name: str, suspended: bool) -> Tenant:
        """See ports.Keys."""
        status = "suspended" if suspended else "active"
        async with _operating(self._pool) as connection:
            row = await connection.fetchrow(
                "update tenants set status = $2 where name = $1 returning *", name, status
            )
        return _require_tenant(row, name)


async def require_keys(connection: Connection, open_allowed: bool) -> bool:
    """Whether any key was ever made; raises NoKeys when there is none and that is not allowed."""
    any_made = await connection.fetchval("select any_made from key_epoch")
    if not any_made and not open_allowed:
        raise NoKeys(
            "no key exists, and without one everybody who reaches the service could read and "
            "change every memory: make the first with `fleetmem key create --operator`, or allow "
            "it with --insecure-open (FLEETMEM_INSECURE_OPEN=1)"
        )
    return bool(any_made)


async def require_keys_of(dsn: str, open_allowed: bool) -> bool:
    """See require_keys; for a start that has no pool yet."""
    async with connected(dsn) as connection:
        return await require_keys(connection, open_allowed)


@asynccontextmanager
async def _declared(pool: Pool, name: str, value: str) -> AsyncGenerator[Connection]:
    """A transaction of no tenant, which declares what it is about: policies read it."""
    async with acquired(pool) as connection, connection.transaction():
        await connection.execute("select set_config($1, $2, true)", name, value)
        yield connection


def _operating(pool: Pool) -> AbstractAsyncContextManager[Connection]:
    """A transaction that sees all tenants, and nothing that is theirs."""
    return _declared(pool, "fleetmem.operator", "on")


async def _insert(connection: Connection, key: ApiKey, digest: bytes) -> None:
    columns = (key.key_id, key.tenant_id, digest, key.label, sorted(key.scopes))
    done = await connection.execute(query("add_key"), *columns, key.created_at, key.expires_at)
    if done != "INSERT 0 1":
        raise NameTaken("there is a key of this id already")


def _require_one(done: str) -> None:
    if done != "UPDATE 1":
        raise KeyNotFound("no such key")


def _require_tenant(row: asyncpg.Record | None, name: str) -> Tenant:
    if row is None:
        raise TenantNotFound(f"there is no tenant {name}")
    return _to_tenant(row)


def _to_tenant(row: asyncpg.Record) -> Tenant:
    return Tenant(row["tenant_id"], row["name"], row["status"] == "suspended", row["created_at"])


def _to_key(row: asyncpg.Record) -> ApiKey:
    fields: dict[str, Any] = {**row, "scopes": frozenset(row["scopes"])}
    return ApiKey(**fields)


def _to_record(row: asyncpg.Record) -> KeyRecord:
    principal = Principal(row["tenant_id"], row["key_id"], frozenset(row["scopes"]))
    return KeyRecord(principal, row["digest"], row["expires_at"], row["revoked"], row["suspended"])
