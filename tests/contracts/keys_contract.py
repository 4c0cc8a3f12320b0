"""What every ports.Keys does; a subclass gives the fixture `keys`, with the tenant default only."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from serve_app.core.errors import KeyNotFound, NameTaken, TenantNotFound
from serve_app.core.keys import KEY_BYTES, ApiKey, KeyDraft, KeyRecord, digest_key, make_key
from serve_app.core.principal import MEMORY_READ, MEMORY_WRITE, Principal
from serve_app.operations.ports import Keys

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SCOPES = frozenset({MEMORY_READ, MEMORY_WRITE})


async def add(keys: Keys, number: int = 1, tenant_id: int = 1) -> ApiKey:
    """Store the `number`th key there can be."""
    entropy = number.to_bytes(8) + bytes(KEY_BYTES - 8)
    issued = make_key(KeyDraft(tenant_id, SCOPES, f"key {number}"), NOW, entropy)
    await keys.add_key(issued.key, digest_key(issued.text))
    return issued.key


async def look(keys: Keys, key_id: str) -> KeyRecord:
    return (await keys.find([key_id])).records[key_id]


class KeysContract:
    async def test_a_key_is_found_by_its_id_in_any_tenant(self, keys: Keys) -> None:
        other = await keys.add_tenant("acme", NOW)
        first, second = await add(keys, 1), await add(keys, 2, other.tenant_id)
        found = await keys.find([second.key_id, "0" * 16, first.key_id])
        assert set(found.records) == {first.key_id, second.key_id}
        record = found.records[second.key_id]
        assert record.principal == Principal(other.tenant_id, second.key_id, SCOPES)
        assert len(record.digest) == 32
        assert (record.revoked, record.suspended, record.expires_at) == (False, False, None)

    async def test_nobody_asked_for_is_nobody_found(self, keys: Keys) -> None:
        await add(keys)
        assert (await keys.find([])).records == {}

    async def test_the_first_key_is_remembered_for_good(self, keys: Keys) -> None:
        assert not (await keys.find([])).any_made
        key = await add(keys)
        assert (await keys.find([])).any_made
        await keys.revoke_key(1, key.key_id, LATER)
        assert (await keys.find([])).any_made

    async def test_an_id_is_given_once(self, keys: Keys) -> None:
        other = await keys.add_tenant("acme", NOW)
        await add(keys)
        with pytest.raises(NameTaken):
            await add(keys, tenant_id=other.tenant_id)
        assert (await look(keys, f"{1:016x}")).principal.tenant_id == 1

    async def test_keys_are_told_within_their_tenant_alone(self, keys: Keys) -> None:
        other = await keys.add_tenant("acme", NOW)
        first, second = await add(keys, 1), await add(keys, 2)
        assert await keys.list_keys(1) == [first, second]
        assert await keys.list_keys(other.tenant_id) == []
        assert await keys.get_key(1, first.key_id) == first
        with pytest.raises(KeyNotFound):
            await keys.get_key(other.tenant_id, first.key_id)
        with pytest.raises(KeyNotFound):
            await keys.revoke_key(other.tenant_id, first.key_id, LATER)
        assert not (await look(keys, first.key_id)).revoked

    async def test_a_revoked_key_stays_revoked_since_the_first_time(self, keys: Keys) -> None:
        key = await add(keys)
        epoch = (await keys.find([])).epoch
        await keys.revoke_key(1, key.key_id, NOW)
        await keys.revoke_key(1, key.key_id, LATER)
        assert (await keys.get_key(1, key.key_id)).revoked_at == NOW
        found = await keys.find([key.key_id])
        assert found.records[key.key_id].revoked
        assert found.epoch > epoch

    async def test_what_does_not_exist_is_not_revoked(self, keys: Keys) -> None:
        with pytest.raises(KeyNotFound):
            await keys.revoke_key(1, "0" * 16, NOW)

    async def test_a_new_key_changes_nothing_for_the_others(self, keys: Keys) -> None:
        await add(keys)
        epoch = (await keys.find([])).epoch
        await add(keys, 2)
        assert (await keys.find([])).epoch == epoch

    async def test_replacing_ends_the_old_and_stores_the_new(self, keys: Keys) -> None:
        old = await add(keys)
        epoch = (await keys.find([])).epoch
        new = replace(old, key_id="f" * 16)
        await keys.replace_key(replace(old, expires_at=LATER), new, bytes(32))
        assert (await look(keys, old.key_id)).expires_at == LATER
        assert (await look(keys, new.key_id)).digest == bytes(32)
        assert (await keys.find([])).epoch > epoch

    async def test_a_revoked_key_is_not_replaced(self, keys: Keys) -> None:
        old = await add(keys)
        await keys.revoke_key(1, old.key_id, NOW)
        new = replace(old, key_id="f" * 16)
        with pytest.raises(KeyNotFound):
            await keys.replace_key(replace(old, expires_at=LATER), new, bytes(32))
        assert [key.key_id for key in await keys.list_keys(1)] == [old.key_id]

    async def test_replacing_is_all_or_nothing(self, keys: Keys) -> None:
        old, taken = await add(keys), await add(keys, 2)
        with pytest.raises(NameTaken):
            await keys.replace_key(replace(old, expires_at=LATER), taken, bytes(32))
        assert (await look(keys, old.key_id)).expires_at is None

    async def test_the_latest_use_is_kept(self, keys: Keys) -> None:
        key = await add(keys)
        epoch = (await keys.find([])).epoch
        await keys.touch({key.key_id: LATER, "0" * 16: LATER})
        await keys.touch({key.key_id: NOW})
        assert (await keys.get_key(1, key.key_id)).last_used_at == LATER
        assert (await keys.find([])).epoch == epoch

    async def test_tenants_are_made_and_listed(self, keys: Keys) -> None:
        made = await keys.add_tenant("acme", NOW)
        assert (made.name, made.suspended, made.created_at) == ("acme", False, NOW)
        assert [tenant.name for tenant in await keys.list_tenants()] == ["default", "acme"]
        assert await keys.find_tenant("acme") == made
        with pytest.raises(NameTaken):
            await keys.add_tenant("acme", LATER)

    async def test_an_unknown_tenant_is_not_found(self, keys: Keys) -> None:
        with pytest.raises(TenantNotFound):
            await keys.find_tenant("nobody")
        with pytest.raises(TenantNotFound):
            await keys.set_suspended("nobody", True)

    async def test_a_tenant_is_suspended_with_its_keys_and_resumed(self, keys: Keys) -> None:
        other = await keys.add_tenant("acme", NOW)
        ours, theirs = await add(keys, 1), await add(keys, 2, other.tenant_id)
        epoch = (await keys.find([])).epoch
        assert (await keys.set_suspended("acme", True)).suspended
        found = await keys.find([ours.key_id, theirs.key_id])
        assert found.records[theirs.key_id].suspended
        assert not found.records[ours.key_id].suspended
        assert found.epoch > epoch
        await keys.set_suspended("acme", False)
        assert not (await look(keys, theirs.key_id)).suspended
