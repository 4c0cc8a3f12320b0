from itertools import accumulate

import pytest

from bench import pace


def test_the_pace_is_the_median_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    took = (2, 1, 9, 3, 8, 1, 4)
    moments = iter(accumulate(step / 1000 for seconds in took for step in (0, seconds)))
    monkeypatch.setattr(pace.time, "perf_counter", lambda: next(moments))
    assert pace.measure_pace() == 3.0


def test_the_pace_of_this_machine_can_be_told() -> None:
    assert pace.measure_pace() > 0
