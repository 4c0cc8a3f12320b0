import pytest

from serve_app.api import throttle
from serve_app.api.throttle import Throttle


def test_a_burst_passes_and_then_one_an_interval() -> None:
    tries = Throttle(60, 3)
    assert [tries.take("a", 100.0) for _ in range(5)] == [0, 0, 0, 1, 1]
    assert tries.take("a", 101.0) == 0
    assert tries.take("a", 101.0) == 1


def test_refused_tries_cost_nothing() -> None:
    tries = Throttle(1, 1)
    assert tries.take("a", 0.0) == 0
    assert [tries.take("a", float(n)) for n in range(10, 60, 10)] == [50, 40, 30, 20, 10]
    assert tries.take("a", 60.0) == 0


def test_looking_takes_nothing() -> None:
    tries = Throttle(60, 1)
    assert [tries.wait("a", 5.0) for _ in range(3)] == [0, 0, 0]
    assert tries.take("a", 5.0) == 0
    assert tries.wait("a", 5.0) == 1


def test_names_do_not_hinder_one_another() -> None:
    tries = Throttle(60, 1)
    assert [tries.take(name, 0.0) for name in "abab"] == [0, 0, 1, 1]


def test_the_names_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "KEPT", 2)
    tries = Throttle(60, 1)
    assert [tries.take(name, 0.0) for name in "abc"] == [0, 0, 0]
    assert tries.take("a", 0.0) == 0
    assert tries.take("c", 0.0) == 1
