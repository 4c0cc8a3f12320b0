import pytest

from serve_app.api.host_names import MOST_KEPT, HostNames


@pytest.mark.parametrize(
    ("host", "known"),
    [
        (b"localhost", True),
        (b"LOCALHOST:8000", True),
        (b"127.0.0.1:8000", True),
        (b"127.1.2.3", True),
        (b"[::1]:8000", True),
        (b"127.0.0.1.evil.example", False),
        (b"localhost.evil.example", False),
        (b"evil.example", False),
        (b"localhost:evil", False),
        (b"localhost@evil.example", False),
        (b"", False),
        (b"\xff", False),
    ],
)
def test_on_loopback_only_loopback_names_are_known(host: bytes, known: bool):
    assert HostNames(None, loopback_only=True).knows(host) is known


@pytest.mark.parametrize(
    ("host", "known"),
    [
        (b"a.example", True),
        (b"A.Example:443", True),
        (b"x.b.example", True),
        (b"b.example", False),
        (b"xb.example", False),
        (b"localhost", False),
    ],
)
def test_listed_names_are_known(host: bytes, known: bool):
    assert HostNames(" a.example , *.b.example ", loopback_only=True).knows(host) is known


@pytest.mark.parametrize("names", [None, "", "*", "a.example,*"])
def test_any_name_is_known_beyond_loopback_or_when_asked_for(names: str | None):
    assert HostNames(names, loopback_only=False).knows(b"evil.example")


def test_a_star_opens_loopback_too():
    assert HostNames("*", loopback_only=True).knows(b"evil.example")


def test_what_callers_choose_fills_no_memory():
    names = HostNames("*.b.example", loopback_only=False)
    for number in range(MOST_KEPT + 10):
        assert names.knows(b"%d.b.example" % number)
    assert names.knows(b"x" * 100 + b".b.example")
    assert len(names._known) == MOST_KEPT
