"""Tenants and keys: made, listed, ended. The command line and the HTTP door share these verbs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from serve_app.core.errors import Forbidden, InvalidInput
from serve_app.core.keys import (
    KEY_BYTES,
    ApiKey,
    IssuedKey,
    KeyDraft,
    Tenant,
    adopt_key,
    digest_key,
    make_key,
    name_tenant,
    renew,
    retire,
)
from serve_app.core.principal import TENANT_SCOPES, Principal
from serve_app.operations.ports import Keys


@dataclass(frozen=True, slots=True)
class Registry:
    """The verbs; `clock` gives aware UTC times, `entropy` so many random bytes."""

    keys: Keys
    clock: Callable[[], datetime]
    entropy: Callable[[int], bytes]

    async def issue(self, draft: KeyDraft) -> IssuedKey:
        """Make a key."""
        return await self._store(make_key(draft, self.clock(), self.entropy(KEY_BYTES)))

    async def adopt(self, draft: KeyDraft, text: str) -> IssuedKey:
        """Take on a key that was issued elsewhere; raises InvalidInput, NameTaken."""
        return await self._store(adopt_key(draft, self.clock(), text))

    async def rotate(self, caller: Principal, key_id: str, grace: timedelta) -> IssuedKey:
        """A new key like the old, which lives on for `grace`; raises KeyNotFound, InvalidInput.

        Raises Forbidden for a key that may do more than the caller: the new text would be theirs.
        """
        now = self.clock()
        old = await self.keys.get_key(caller.tenant_id, key_id)
        require_all(caller, old.scopes)
        issued = renew(old, now, self.entropy(KEY_BYTES))
        await self.keys.replace_key(retire(old, now, grace), issued.key, digest_key(issued.text))
        return issued

    async def revoke(self, tenant_id: int, key_id: str) -> None:
        """End a key for good, at once; raises KeyNotFound."""
        await self.keys.revoke_key(tenant_id, key_id, self.clock())

    async def list_keys(self, tenant_id: int) -> list[ApiKey]:
        """All keys of a tenant, oldest first."""
        return await self.keys.list_keys(tenant_id)

    async def create_tenant(self, name: str) -> Tenant:
        """Make a tenant; raises InvalidInput, NameTaken."""
        return await self.keys.add_tenant(name_tenant(name), self.clock())

    async def create_tenant_with_key(self, name: str) -> tuple[Tenant, IssuedKey]:
        """Make a tenant, and the first key of its admin, who then makes all others."""
        tenant = await self.create_tenant(name)
        return tenant, await self.issue(KeyDraft(tenant.tenant_id, TENANT_SCOPES, "first key"))

    async def list_tenants(self) -> list[Tenant]:
        """All tenants, oldest first."""
        return await self.keys.list_tenants()

    async def find_tenant(self, name: str) -> Tenant:
        """The tenant of this name; raises TenantNotFound."""
        return await self.keys.find_tenant(name)

    async def set_suspended(self, name: str, suspended: bool) -> Tenant:
        """Suspend a tenant, whose keys then get 403, or resume it; raises TenantNotFound."""
        return await self.keys.set_suspended(name, suspended)

    async def _store(self, issued: IssuedKey) -> IssuedKey:
        await self.keys.add_key(issued.key, digest_key(issued.text))
        return issued


def require_all(caller: Principal, scopes: frozenset[str]) -> None:
    """Raise Forbidden when the caller lacks one of `scopes`: nobody gives what is not theirs."""
    if lacking := scopes - caller.scopes:
        raise Forbidden(f"Your own key lacks the scope {min(lacking)}.")


def require_other(caller: Principal, tenant: Tenant) -> None:
    """Raise InvalidInput for the caller's own tenant, which nobody could resume over HTTP."""
    if tenant.tenant_id == caller.tenant_id:
        raise InvalidInput("your own tenant cannot be suspended with its own key", "status")
