from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.errors import InvalidInput, TenantSuspended, Unauthenticated
from serve_app.core.keys import (
    KEY_BYTES,
    KeyDraft,
    KeyRecord,
    admit,
    adopt_key,
    digest_key,
    find_key_id,
    make_key,
    name_tenant,
    renew,
    retire,
)
from serve_app.core.principal import MEMORY_READ, Principal

NOW = datetime(2026, 5, 1, tzinfo=UTC)
READ = frozenset({MEMORY_READ})
DRAFT = KeyDraft(7, READ, "a label")
ENTROPY = bytes(range(KEY_BYTES))
ISSUED = make_key(DRAFT, NOW, ENTROPY)
RECORD = KeyRecord(Principal(7, ISSUED.key.key_id, READ), digest_key(ISSUED.text))
MEMNEX = "mx_live_kAb12Cd34_" + "s" * 43


def test_a_key_says_what_it_is_and_holds_all_of_the_entropy() -> None:
    assert ISSUED.text.startswith("fm_live_0001020304050607_")
    assert len(ISSUED.text.removeprefix("fm_live_0001020304050607_")) == 43  # 32 bytes in base64
    test = make_key(replace(DRAFT, live=False), NOW, ENTROPY)
    assert test.text.startswith("fm_test_0001020304050607_")
    with pytest.raises(ValueError, match="40 bytes"):
        make_key(DRAFT, NOW, bytes(39))


@given(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES), st.booleans())
def test_every_key_is_found_by_its_id(entropy: bytes, live: bool) -> None:
    issued = make_key(replace(DRAFT, live=live), NOW, entropy)
    assert find_key_id(issued.text) == issued.key.key_id


def test_the_text_is_in_no_description_of_the_key() -> None:
    secret = ISSUED.text[-43:]
    assert secret not in repr(ISSUED) + str(ISSUED) + repr(ISSUED.key) + repr(RECORD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fm_live",
        ISSUED.text + "x",
        ISSUED.text[:-1],
        ISSUED.text + "\n",
        " " + ISSUED.text,
        ISSUED.text.replace("live", "prod"),
        ISSUED.text.upper(),
        MEMNEX.replace("_k", "_"),
        "mx_live_kAb12Cd34_short",
    ],
)
def test_what_has_no_form_of_a_key_has_no_id(text: str) -> None:
    assert find_key_id(text) is None


def test_a_key_of_memnex_is_taken_on() -> None:
    adopted = adopt_key(DRAFT, NOW, MEMNEX)
    assert (adopted.key.key_id, adopted.text) == ("kAb12Cd34", MEMNEX)
    assert adopt_key(DRAFT, NOW, ISSUED.text).key.key_id == ISSUED.key.key_id
    with pytest.raises(InvalidInput) as refused:
        adopt_key(DRAFT, NOW, "my-own-password")
    assert "my-own-password" not in refused.value.message


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scopes": frozenset[str]()}, "scopes"),
        ({"scopes": frozenset({"memory:everything"})}, "scopes"),
        ({"label": "x" * 129}, "label"),
        ({"label": "a\x00b"}, "label"),
        ({"label": "\x1b[2J"}, "label"),
        ({"label": "two\nlines"}, "label"),
    ],
)
def test_a_draft_that_means_nothing_is_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        replace(DRAFT, **fields)
    assert refused.value.field == field


def test_a_key_is_not_born_dead() -> None:
    with pytest.raises(InvalidInput):
        make_key(replace(DRAFT, expires_at=NOW), NOW, ENTROPY)


def test_the_right_text_is_let_in() -> None:
    assert admit(RECORD, ISSUED.text, NOW) == Principal(7, "0001020304050607", READ)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (None, ISSUED.text),
        (RECORD, ISSUED.text[:-1] + "A"),
        (RECORD, ISSUED.text.replace("live", "test")),
        (replace(RECORD, revoked=True), ISSUED.text),
        (replace(RECORD, expires_at=NOW), ISSUED.text),
        (replace(RECORD, revoked=True, suspended=True), ISSUED.text),
        (replace(RECORD, suspended=True), ISSUED.text[:-1] + "A"),
    ],
)
def test_whatever_is_wrong_is_refused_alike(record: KeyRecord | None, text: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        admit(record, text, NOW)
    assert refused.value.message == "no valid key"


def test_a_suspended_tenant_is_told_to_its_own_keys_alone() -> None:
    with pytest.raises(TenantSuspended):
        admit(replace(RECORD, suspended=True), ISSUED.text, NOW)


def test_a_key_lives_until_the_moment_it_expires() -> None:
    record = replace(RECORD, expires_at=NOW + timedelta(seconds=1))
    assert admit(record, ISSUED.text, NOW)
    assert replace(ISSUED.key, expires_at=NOW).is_valid(NOW - timedelta(seconds=1))
    assert not replace(ISSUED.key, expires_at=NOW).is_valid(NOW)


def test_a_renewed_key_lives_as_long_as_the_old_did() -> None:
    lasting, later = replace(ISSUED.key, expires_at=NOW + timedelta(days=9)), timedelta(days=5)
    renewed = renew(lasting, NOW + later, bytes(KEY_BYTES)).key
    assert renewed.expires_at == NOW + later + timedelta(days=9)
    assert (renewed.scopes, renewed.label, renewed.tenant_id) == (READ, "a label", 7)
    assert renew(ISSUED.key, NOW, bytes(KEY_BYTES)).key.expires_at is None


def test_time_ends_with_the_year_9999() -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    renewed = renew(replace(ISSUED.key, expires_at=end), NOW + timedelta(days=9), bytes(KEY_BYTES))
    assert renewed.key.expires_at == datetime.max.replace(tzinfo=UTC)


def test_what_is_dead_is_not_renewed() -> None:
    with pytest.raises(InvalidInput):
        renew(replace(ISSUED.key, revoked_at=NOW), NOW, ENTROPY)
    with pytest.raises(InvalidInput):
        renew(replace(ISSUED.key, expires_at=NOW), NOW, ENTROPY)


def test_grace_does_not_lengthen_a_life() -> None:
    hour, day = timedelta(hours=1), timedelta(days=1)
    assert retire(ISSUED.key, NOW, hour).expires_at == NOW + hour
    assert retire(replace(ISSUED.key, expires_at=NOW + hour), NOW, day).expires_at == NOW + hour


@pytest.mark.parametrize("name", ["a", "acme", "a-1", "9", "x" * 63])
def test_a_tenant_may_be_called(name: str) -> None:
    assert name_tenant(name) == name


@pytest.mark.parametrize(
    "name", ["", "A", "a_b", "a%", "-a", "a-", "a ", " a", "x" * 64, "ä", "a/b", "a\n", "a.b"]
)
def test_a_tenant_may_not_be_called(name: str) -> None:
    with pytest.raises(InvalidInput):
        name_tenant(name)
