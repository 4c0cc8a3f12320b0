from dataclasses import replace

import pytest

from serve_app.core.errors import KeyReused, StillRunning
from serve_app.core.writing import IdempotencyKey
from serve_app.operations.running_keys import RunningKeys

KEY = IdempotencyKey(1, "key", b"digest")


def test_a_key_is_busy_until_its_request_ends() -> None:
    running = RunningKeys()
    with running.hold(KEY):
        for _ in range(2):
            with pytest.raises(StillRunning), running.hold(KEY):
                pytest.fail("held twice")
    with running.hold(KEY):
        pass


def test_another_request_is_told_that_the_key_is_not_its_own() -> None:
    running = RunningKeys()
    other = replace(KEY, digest=b"other")
    with running.hold(KEY), pytest.raises(KeyReused), running.hold(other):
        pytest.fail("held by another request")
    with running.hold(other):
        pass


@pytest.mark.parametrize("other", [replace(KEY, key="other"), replace(KEY, tenant_id=2)])
def test_keys_are_told_apart_by_name_and_tenant(other: IdempotencyKey) -> None:
    running = RunningKeys()
    with running.hold(KEY), running.hold(other):
        for busy in (KEY, other):
            with pytest.raises(StillRunning), running.hold(busy):
                pytest.fail("held twice")
    with running.hold(KEY), running.hold(other):
        pass


def test_a_request_that_fails_gives_its_key_back() -> None:
    running = RunningKeys()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), running.hold(KEY):
            raise ZeroDivisionError
