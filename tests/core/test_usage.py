from dataclasses import FrozenInstanceError

import pytest

from serve_app.core.usage import OwnLimits, Quota, Usage


def test_nothing_set_limits_nothing() -> None:
    assert (Quota().memories, Quota().bytes) == (None, None)
    assert OwnLimits() == OwnLimits({}, Quota(None, None))


def test_a_quota_of_nothing_is_not_the_absence_of_one() -> None:
    assert Quota(0, 0) != Quota()


def test_what_one_tenant_is_given_is_no_other_tenants() -> None:
    assert OwnLimits().rates is not OwnLimits().rates


def test_what_was_counted_stays_as_it_was_counted() -> None:
    usage = Usage(3, 9, Quota(memories=5))
    with pytest.raises(FrozenInstanceError):
        usage.memories = 0  # that it is refused is what is tested
    assert usage == Usage(3, 9, Quota(5, None))
