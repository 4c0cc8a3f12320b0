import pickle
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.identity import make_uuid, uuid7

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1)), st.binary(min_size=10))
def test_it_is_a_uuid_of_version_7_and_carries_its_time(now: datetime, entropy: bytes) -> None:
    aware = now.replace(tzinfo=UTC)
    made = uuid7(aware, entropy)
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == int(aware.timestamp() * 1000)


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_a_later_one_is_greater(first: bytes, second: bytes) -> None:
    assert uuid7(NOW, first) < uuid7(NOW + timedelta(milliseconds=1), second)


def test_the_entropy_tells_ids_of_one_moment_apart() -> None:
    made = {uuid7(NOW, number.to_bytes(10)) for number in range(1000)}
    assert len(made) == 1000
    assert sorted(made) == [uuid7(NOW, number.to_bytes(10)) for number in range(1000)]


def test_too_little_entropy_is_refused() -> None:
    with pytest.raises(ValueError, match="10 bytes"):
        uuid7(NOW, b"123456789")


@given(st.uuids())
def test_a_uuid_of_a_number_is_like_any_other(usual: UUID) -> None:
    made = make_uuid(usual.int)
    assert made == usual
    assert (hash(made), repr(made), made.is_safe) == (hash(usual), repr(usual), usual.is_safe)
    assert pickle.loads(pickle.dumps(made)) == usual
