"""Who is let in, and how soon a change is known; time passes when the test says so."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest

from serve_app.core.errors import (
    DatabaseUnavailable,
    TenantSuspended,
    Unauthenticated,
    Unavailable,
)
from serve_app.core.keys import IssuedKey, KeyDraft, KeysFound
from serve_app.core.principal import MEMORY_READ, Principal
from serve_app.operations import key_ring
from tests.fakes.world import World

READ = frozenset({MEMORY_READ})
STRANGER = "fm_live_" + "0" * 16 + "_" + "A" * 43


@pytest.fixture
def world() -> World:
    return World(open_allowed=False)


async def issue(world: World, tenant_id: int = 1) -> IssuedKey:
    return await world.service.registry.issue(KeyDraft(tenant_id, READ))


async def settle() -> None:
    """Let tasks in the background end."""
    for _ in range(5):
        await asyncio.sleep(0)


async def refused(world: World, text: str | None) -> bool:
    try:
        await world.key_ring.identify(text)
    except Unauthenticated:
        return True
    return False


async def test_a_key_is_looked_up_once(world: World) -> None:
    issued = await issue(world)
    me = Principal(1, issued.key.key_id, READ)
    assert world.key_ring.recall(issued.text) is None
    assert await world.key_ring.identify(issued.text) == me
    assert world.key_ring.recall(issued.text) == me
    assert await world.key_ring.identify(issued.text) == me
    assert world.keys.looks == 1


async def test_a_wrong_text_of_a_known_key_needs_no_look(world: World) -> None:
    issued = await issue(world)
    await world.key_ring.identify(issued.text)
    assert await refused(world, issued.text[:-1] + "B")
    assert world.key_ring.knows(issued.text[:-1] + "B")
    assert world.keys.looks == 1


async def test_a_stranger_is_looked_up_once_and_known_when_there(world: World) -> None:
    assert await refused(world, STRANGER)
    assert await refused(world, STRANGER)
    assert world.keys.looks == 1
    assert not world.key_ring.knows(STRANGER)
    issued = await issue(world)
    assert await world.key_ring.identify(issued.text)


@pytest.mark.parametrize("text", [None, "", "nonsense", "fm_live_x_y"])
async def test_what_is_no_key_is_refused(world: World, text: str | None) -> None:
    assert await refused(world, text)
    assert await refused(world, text)
    assert world.keys.looks == 1


async def test_one_look_a_second_keeps_all_keys(world: World) -> None:
    texts = [(await issue(world)).text for _ in range(20)]
    for text in texts:
        await world.key_ring.identify(text)
    looks = world.keys.looks
    for _ in range(10):
        world.advance(seconds=1.1)
        for text in texts:
            assert world.key_ring.recall(text) is not None
        await settle()
    assert world.keys.looks == looks + 10


@pytest.mark.parametrize("busy", [True, False])
async def test_a_revocation_is_known_within_two_seconds(world: World, busy: bool) -> None:
    issued, other = await issue(world), await issue(world)
    for key in (issued, other):
        await world.key_ring.identify(key.text)
    await world.service.registry.revoke(1, issued.key.key_id)
    for _ in range(20):
        world.advance(seconds=0.1)
        if busy:
            await world.key_ring.identify(other.text)
            await settle()
    assert await refused(world, issued.text)
    assert await world.key_ring.identify(other.text)


async def test_a_look_that_began_before_does_not_last_longer(world: World) -> None:
    """What counts is when a look began, not when its answer came."""
    issued = await issue(world)
    find, gate = world.keys.find, asyncio.Event()

    async def find_slowly(key_ids: Sequence[str]) -> KeysFound:
        found = await find(key_ids)
        await gate.wait()
        return found

    world.keys.find = find_slowly  # a slow network
    asking = asyncio.create_task(world.key_ring.identify(issued.text))
    await settle()
    await world.service.registry.revoke(1, issued.key.key_id)
    world.advance(seconds=1.9)
    gate.set()
    assert await asking
    world.advance(seconds=0.1)
    assert world.key_ring.recall(issued.text) is None
    assert await refused(world, issued.text)


async def test_expiry_needs_no_look(world: World) -> None:
    draft = KeyDraft(1, READ, expires_at=world.now + timedelta(seconds=1))
    issued = await world.service.registry.issue(draft)
    await world.key_ring.identify(issued.text)
    world.advance(seconds=1)
    with pytest.raises(Unauthenticated):
        world.key_ring.recall(issued.text)


async def test_a_suspended_tenant_is_known_within_two_seconds_and_resumed(world: World) -> None:
    tenant = await world.service.registry.create_tenant("acme")
    issued = await issue(world, tenant.tenant_id)
    await world.key_ring.identify(issued.text)
    await world.service.registry.set_suspended("acme", True)
    world.advance(seconds=2)
    with pytest.raises(TenantSuspended):
        await world.key_ring.identify(issued.text)
    await world.service.registry.set_suspended("acme", False)
    world.advance(seconds=2)
    assert await world.key_ring.identify(issued.text)


async def test_a_rotated_key_lives_for_its_grace(world: World) -> None:
    old = await issue(world)
    caller = await world.key_ring.identify(old.text)
    new = await world.service.registry.rotate(caller, old.key.key_id, timedelta(minutes=5))
    world.advance(minutes=4)
    assert await world.key_ring.identify(old.text)
    assert await world.key_ring.identify(new.text)
    world.advance(minutes=1)
    assert await refused(world, old.text)
    assert await world.key_ring.identify(new.text)


async def test_nobody_gets_in_when_the_keys_cannot_be_looked_at(world: World) -> None:
    issued = await issue(world)
    await world.key_ring.identify(issued.text)
    world.keys.is_down = True
    world.advance(seconds=1.9)
    assert world.key_ring.recall(issued.text) is not None
    await settle()
    world.advance(seconds=0.1)
    for text in (issued.text, STRANGER, None):
        with pytest.raises(DatabaseUnavailable):
            await world.key_ring.identify(text)
    world.keys.is_down = False
    assert await world.key_ring.identify(issued.text)


async def test_who_comes_during_a_look_shares_the_next(world: World) -> None:
    texts = [(await issue(world)).text for _ in range(50)]
    callers = await asyncio.gather(*(world.key_ring.identify(text) for text in texts))
    assert len({caller.key_id for caller in callers}) == 50
    assert world.keys.looks <= 2


async def test_who_leaves_takes_nobody_elses_answer_away(world: World) -> None:
    issued = await issue(world)
    leaving = asyncio.create_task(world.key_ring.identify(issued.text))
    staying = asyncio.create_task(world.key_ring.identify(issued.text))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying


async def test_open_until_the_first_key_is_made_and_never_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(open_allowed=True)
    assert await world.key_ring.identify(None) == Principal()
    assert await world.key_ring.identify(STRANGER) == Principal()
    issued = await issue(world)
    world.advance(seconds=2)
    with caplog.at_level(logging.WARNING):
        assert await refused(world, None)
    assert "every request needs one" in caplog.text
    assert await world.key_ring.identify(issued.text)
    await world.service.registry.revoke(1, issued.key.key_id)
    world.advance(seconds=2)
    assert await refused(world, None)


async def test_open_is_not_open_when_the_keys_cannot_be_looked_at() -> None:
    world = World(open_allowed=True)
    world.keys.is_down = True
    with pytest.raises(DatabaseUnavailable):
        await world.key_ring.identify(None)


async def test_what_is_remembered_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ring, "KEPT_KEYS", 2)
    monkeypatch.setattr(key_ring, "KEPT_UNKNOWN", 2)
    first, second, third = [(await issue(world)).text for _ in range(3)]
    for text in (first, second, first, third):
        await world.key_ring.identify(text)
    assert [world.key_ring.knows(text) for text in (first, second, third)] == [True, False, True]
    strangers = [STRANGER.replace("0", str(n)) for n in range(3)]
    looks = world.keys.looks
    for text in (*strangers, strangers[0]):
        assert await refused(world, text)
    assert world.keys.looks == looks + 4


async def test_uses_are_told_together_and_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_ring, "TELLING_SECONDS", 0)
    issued = await issue(world)
    for _ in range(3):
        await world.key_ring.identify(issued.text)
        world.advance(seconds=0.2)
    assert (await world.keys.get_key(1, issued.key.key_id)).last_used_at is None
    await settle()
    told = await world.keys.get_key(1, issued.key.key_id)
    assert told.last_used_at == world.now - timedelta(seconds=0.2)


async def test_uses_that_cannot_be_told_are_told_with_the_next(world: World) -> None:
    first, second = await issue(world), await issue(world)
    await world.key_ring.identify(first.text)
    world.keys.is_down = True
    await world.key_ring.tell_uses()
    world.keys.is_down = False
    await world.key_ring.identify(second.text)
    await world.key_ring.tell_uses()
    for issued in (first, second):
        assert (await world.keys.get_key(1, issued.key.key_id)).last_used_at == world.now


async def test_keys_that_change_faster_than_they_are_read_let_nobody_in(world: World) -> None:
    """Every look takes longer than it may be trusted, so none ever says who calls."""
    find = world.keys.find

    async def find_late(key_ids: Sequence[str]) -> KeysFound:
        found = await find(key_ids)
        world.advance(seconds=key_ring.LONGEST_SECONDS)
        return found

    world.keys.find = find_late  # a stalled network
    with pytest.raises(Unavailable, match="try again"):
        await world.key_ring.identify(STRANGER)
    assert world.keys.looks == 3
    world.keys.find = find  # it has recovered
    assert await refused(world, STRANGER)


async def test_a_fault_that_nobody_waits_for_is_told_to_the_log_and_one_that_is_to_the_caller(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    issued = await issue(world)
    await world.key_ring.identify(issued.text)

    async def fail(key_ids: Sequence[str]) -> KeysFound:
        raise ZeroDivisionError

    world.keys.find = fail  # a fault of ours
    world.advance(seconds=1)
    assert world.key_ring.recall(issued.text) is not None
    await settle()
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    world.advance(seconds=1)
    with pytest.raises(ZeroDivisionError):
        await world.key_ring.identify(issued.text)
