from dataclasses import replace
from datetime import timedelta

import pytest

from serve_app.core.errors import (
    Forbidden,
    InvalidInput,
    KeyNotFound,
    NameTaken,
    TenantNotFound,
    TenantSuspended,
    Unauthenticated,
)
from serve_app.core.keys import KeyDraft, digest_key
from serve_app.core.principal import MEMORY_READ, SCOPES, TENANT_ADMIN, TENANT_SCOPES, Principal
from serve_app.operations.registry import require_all, require_other
from tests.fakes.world import World

READ = frozenset({MEMORY_READ})
ADMIN = Principal(1, "me", frozenset({TENANT_ADMIN, MEMORY_READ}))
MEMNEX = "mx_live_kAb12Cd34_" + "s" * 43


async def test_only_the_digest_is_stored() -> None:
    world = World()
    issued = await world.service.registry.issue(KeyDraft(1, READ, "mine"))
    [(key, digest)] = world.keys.keys.values()
    assert (key, digest) == (issued.key, digest_key(issued.text))
    assert (key.label, key.scopes, key.created_at) == ("mine", READ, world.now)
    assert issued.text[-43:] not in repr(world.keys.keys)
    assert await world.service.registry.list_keys(1) == [issued.key]


async def test_a_key_of_memnex_is_adopted_once() -> None:
    world = World(open_allowed=False)
    registry = world.service.registry
    adopted = await registry.adopt(KeyDraft(1, READ), MEMNEX)
    assert (await world.key_ring.identify(MEMNEX)).key_id == adopted.key.key_id == "kAb12Cd34"
    assert adopted.key.created_at == world.now
    with pytest.raises(NameTaken):
        await registry.adopt(KeyDraft(1, READ), MEMNEX[:-1] + "x")


async def test_a_new_tenant_comes_with_its_admins_key() -> None:
    world = World(open_allowed=False)
    tenant, issued = await world.service.registry.create_tenant_with_key("acme")
    caller = await world.key_ring.identify(issued.text)
    assert (caller.tenant_id, caller.scopes) == (tenant.tenant_id, TENANT_SCOPES)
    assert (tenant.created_at, issued.key.label) == (world.now, "first key")
    assert await world.service.registry.find_tenant("acme") == tenant
    assert [t.name for t in await world.service.registry.list_tenants()] == ["default", "acme"]
    with pytest.raises(InvalidInput):
        await world.service.registry.create_tenant("Acme")


async def test_a_rotated_key_lives_on_for_its_grace_beside_the_new_one() -> None:
    world = World(open_allowed=False)
    registry = world.service.registry
    old = await registry.issue(KeyDraft(1, READ, "mine"))
    new = await registry.rotate(ADMIN, old.key.key_id, timedelta(hours=1))
    assert (new.key.label, new.key.scopes) == ("mine", READ)
    for issued in (old, new):
        assert (await world.key_ring.identify(issued.text)).key_id == issued.key.key_id
    world.advance(hours=1)
    assert (await world.key_ring.identify(new.text)).key_id == new.key.key_id
    with pytest.raises(Unauthenticated):
        await world.key_ring.identify(old.text)
    with pytest.raises(InvalidInput):
        await registry.rotate(ADMIN, old.key.key_id, timedelta())


async def test_a_revoked_key_is_told_with_the_moment_of_its_end() -> None:
    world = World(open_allowed=False)
    registry = world.service.registry
    issued = await registry.issue(KeyDraft(1, READ))
    world.advance(hours=1)
    await registry.revoke(1, issued.key.key_id)
    [key] = await registry.list_keys(1)
    assert (key.key_id, key.revoked_at) == (issued.key.key_id, world.now)
    with pytest.raises(Unauthenticated):
        await world.key_ring.identify(issued.text)


async def test_a_suspended_tenant_is_kept_out_until_it_is_resumed() -> None:
    world = World(open_allowed=False)
    registry = world.service.registry
    tenant, issued = await registry.create_tenant_with_key("acme")
    assert await registry.set_suspended("acme", True) == replace(tenant, suspended=True)
    with pytest.raises(TenantSuspended):
        await world.key_ring.identify(issued.text)
    assert await registry.set_suspended("acme", False) == tenant
    world.advance(seconds=2)
    assert (await world.key_ring.identify(issued.text)).tenant_id == tenant.tenant_id
    with pytest.raises(TenantNotFound):
        await registry.set_suspended("nobody", True)


async def test_nobody_rotates_into_more_than_they_may() -> None:
    registry = World().service.registry
    operator = await registry.issue(KeyDraft(1, SCOPES))
    with pytest.raises(Forbidden):
        await registry.rotate(ADMIN, operator.key.key_id, timedelta())
    [key] = await registry.list_keys(1)
    assert key.expires_at is None


async def test_a_key_of_another_tenant_is_not_rotated_or_revoked() -> None:
    world = World()
    registry = world.service.registry
    _, theirs = await registry.create_tenant_with_key("acme")
    with pytest.raises(KeyNotFound):
        await registry.rotate(Principal(1, "me", SCOPES), theirs.key.key_id, timedelta())
    with pytest.raises(KeyNotFound):
        await registry.revoke(1, theirs.key.key_id)


async def test_what_nobody_may_do() -> None:
    require_all(ADMIN, READ)
    with pytest.raises(Forbidden, match="operator"):
        require_all(ADMIN, SCOPES - {"memory:write", "memory:erase", "audit:read"})
    own, other = [await World().service.registry.find_tenant("default")] * 2
    with pytest.raises(InvalidInput):
        require_other(ADMIN, own)
    require_other(Principal(2, "me", SCOPES), other)
