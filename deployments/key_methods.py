"""What Retrieval does for the ports.Keys of other replicas; a part of that deployment's class."""

from datetime import datetime

from deployments.wire import pack, unpack
from serve_app.core.keys import ApiKey, Tenant
from serve_app.operations.ports import Keys


class KeyMethods:
    """Delegates to `keys`, which the deployment sets before it is ready."""

    keys: Keys

    async def find_keys(self, packed: bytes) -> bytes:
        """Key ids, answered with KeysFound."""
        return pack(await self.keys.find(unpack(packed)))

    async def touch_keys(self, used: dict[str, datetime]) -> None:
        """Note when keys were last used."""
        await self.keys.touch(used)

    async def add_key(self, key: ApiKey, digest: bytes) -> None:
        """Store one key."""
        await self.keys.add_key(key, digest)

    async def get_key(self, tenant_id: int, key_id: str) -> ApiKey:
        """One key of a tenant."""
        return await self.keys.get_key(tenant_id, key_id)

    async def list_keys(self, tenant_id: int) -> list[ApiKey]:
        """All keys of a tenant."""
        return await self.keys.list_keys(tenant_id)

    async def revoke_key(self, tenant_id: int, key_id: str, now: datetime) -> None:
        """End one key."""
        await self.keys.revoke_key(tenant_id, key_id, now)

    async def replace_key(self, retired: ApiKey, key: ApiKey, digest: bytes) -> None:
        """End one key soon, and store another."""
        await self.keys.replace_key(retired, key, digest)

    async def add_tenant(self, name: str, now: datetime) -> Tenant:
        """Make one tenant."""
        return await self.keys.add_tenant(name, now)

    async def list_tenants(self) -> list[Tenant]:
        """All tenants."""
        return await self.keys.list_tenants()

    async def find_tenant(self, name: str) -> Tenant:
        """The tenant of a name."""
        return await self.keys.find_tenant(name)

    async def set_suspended(self, name: str, suspended: bool) -> Tenant:
        """Suspend or resume one tenant."""
        return await self.keys.set_suspended(name, suspended)
