import hashlib

import pytest

from serve_app.core.errors import InvalidInput
from serve_app.core.text import content_hash, require_storable


@pytest.mark.parametrize("text", ["", "rain", "漢字 😀", "\ufffd\u2028\n\t", "\U0010ffff"])
def test_text_is_returned_as_it_is(text: str) -> None:
    assert require_storable(text, "content") == text


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "a\udfff", "\udbff tail"])
def test_what_postgres_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        require_storable(text, "content")
    assert refusal.value.field == "content"


def test_a_hash_is_the_sha256_of_utf_8() -> None:
    assert content_hash("ü") == hashlib.sha256(b"\xc3\xbc").digest()
    assert content_hash("a") != content_hash("b")
