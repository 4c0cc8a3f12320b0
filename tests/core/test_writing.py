from dataclasses import FrozenInstanceError, replace

import pytest

from serve_app.core.errors import Conflict
from serve_app.core.writing import IdempotencyKey, Written
from tests.contracts.samples import sample

KEY = IdempotencyKey(1, "order-17", b"digest")


@pytest.mark.parametrize("other", [{"tenant_id": 2}, {"key": "order-18"}, {"digest": b"another"}])
def test_a_key_is_that_of_one_tenant_and_one_request(other: dict[str, object]) -> None:
    assert replace(KEY, **other) != KEY
    assert IdempotencyKey(1, "order-17", b"digest") == KEY


def test_a_key_cannot_become_that_of_another_tenant() -> None:
    with pytest.raises(FrozenInstanceError):
        KEY.tenant_id = 2  # that it is refused is what is tested


def test_a_write_is_new_unless_it_is_said_to_be_told_again() -> None:
    memory = sample()
    assert not Written(memory).is_replayed
    assert Written(memory) != Written(memory, is_replayed=True)


def test_another_memory_than_the_given_one_was_there_before() -> None:
    given, other = sample(), sample()
    assert Written.of(given, given) == Written(given)
    assert Written.of(given, other) == Written(other, was_there=True)
    refusal = Conflict("refused")
    assert Written.of(given, refusal) is refusal
