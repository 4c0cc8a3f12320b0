"""Tenants and keys in dictionaries."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from serve_app.core.errors import DatabaseUnavailable, KeyNotFound, NameTaken, TenantNotFound
from serve_app.core.keys import ApiKey, KeyRecord, KeysFound, Tenant
from serve_app.core.principal import Principal

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class InMemoryKeys:
    """Implements ports.Keys; `is_down` makes every call fail, `looks` counts those of `find`."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[ApiKey, bytes]] = {}
        self.tenants = {"default": Tenant(1, "default", False, BEGINNING)}
        self.epoch = 0
        self.any_made = False
        self.is_down = False
        self.looks = 0

    async def find(self, key_ids: Sequence[str]) -> KeysFound:
        self._require_up()
        self.looks += 1
        records = {key_id: self._record(key_id) for key_id in key_ids if key_id in self.keys}
        return KeysFound(self.epoch, self.any_made, records)

    async def touch(self, used: Mapping[str, datetime]) -> None:
        self._require_up()
        for key_id, moment in used.items():
            if key_id in self.keys:
                key, digest = self.keys[key_id]
                latest = max(moment, key.last_used_at or moment)
                self.keys[key_id] = replace(key, last_used_at=latest), digest

    async def add_key(self, key: ApiKey, digest: bytes) -> None:
        self._require_up()
        if key.key_id in self.keys:
            raise NameTaken("there is a key of this id already")
        self.keys[key.key_id] = key, digest
        self.any_made = True

    async def get_key(self, tenant_id: int, key_id: str) -> ApiKey:
        self._require_up()
        key, _ = self.keys.get(key_id, (None, b""))
        if key is None or key.tenant_id != tenant_id:
            raise KeyNotFound("no such key")
        return key

    async def list_keys(self, tenant_id: int) -> list[ApiKey]:
        self._require_up()
        theirs = [key for key, _ in self.keys.values() if key.tenant_id == tenant_id]
        return sorted(theirs, key=lambda key: (key.created_at, key.key_id))

    async def revoke_key(self, tenant_id: int, key_id: str, now: datetime) -> None:
        key = await self.get_key(tenant_id, key_id)
        self._change(replace(key, revoked_at=key.revoked_at or now))

    async def replace_key(self, retired: ApiKey, key: ApiKey, digest: bytes) -> None:
        old = await self.get_key(retired.tenant_id, retired.key_id)
        if old.revoked_at is not None:
            raise KeyNotFound("no such key")
        await self.add_key(key, digest)
        self._change(replace(old, expires_at=retired.expires_at))

    async def add_tenant(self, name: str, now: datetime) -> Tenant:
        self._require_up()
        if name in self.tenants:
            raise NameTaken(f"there is a tenant {name} already")
        self.tenants[name] = Tenant(len(self.tenants) + 1, name, False, now)
        return self.tenants[name]

    async def list_tenants(self) -> list[Tenant]:
        self._require_up()
        return sorted(self.tenants.values(), key=lambda tenant: tenant.tenant_id)

    async def find_tenant(self, name: str) -> Tenant:
        self._require_up()
        if name not in self.tenants:
            raise TenantNotFound(f"there is no tenant {name}")
        return self.tenants[name]

    async def set_suspended(self, name: str, suspended: bool) -> Tenant:
        self.tenants[name] = replace(await self.find_tenant(name), suspended=suspended)
        self.epoch += 1
        return self.tenants[name]

    def _record(self, key_id: str) -> KeyRecord:
        key, digest = self.keys[key_id]
        suspended = any(
            tenant.suspended
            for tenant in self.tenants.values()
            if tenant.tenant_id == key.tenant_id
        )
        principal = Principal(key.tenant_id, key_id, key.scopes)
        return KeyRecord(principal, digest, key.expires_at, key.revoked_at is not None, suspended)

    def _change(self, key: ApiKey) -> None:
        self.keys[key.key_id] = key, self.keys[key.key_id][1]
        self.epoch += 1

    def _require_up(self) -> None:
        if self.is_down:
            raise DatabaseUnavailable("the fake is down")
