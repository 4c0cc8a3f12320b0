import threading
from pathlib import Path

import pytest

from bench.measured import Answer, Measured
from bench.overload import NORMAL, _find_recovery
from bench.timeline import (
    count_by_second,
    join_measured,
    percentile_by_time,
    plot_panels,
    sample_during,
)


def measured(*answers: tuple[float, float, int], seconds: float = 3.0) -> Measured:
    return Measured.of([Answer(*answer) for answer in answers], seconds, 0)


def test_answers_count_in_the_second_in_which_they_came() -> None:
    some = measured((0.1, 0.1, 200), (0.9, 0.2, 201), (1.0, 0.0, 503), (2.0, 0.5, 200))
    assert count_by_second(some) == ([0, 1, 2], [1, 1, 1])
    assert count_by_second(some, accepted=False) == ([0, 1, 2], [0, 1, 0])


def test_percentiles_are_of_accepted_answers_by_the_moment_they_were_due() -> None:
    some = measured((0.1, 0.1, 200), (0.2, 0.3, 200), (0.3, 9.0, 503), (2.5, 0.5, 200))
    moments, values = percentile_by_time(some, 50)
    assert moments == [0, 2]
    assert values == pytest.approx([200, 500])


def test_loads_in_a_row_are_one() -> None:
    one, other = measured((0.5, 0.1, 200)), measured((0.5, 0.1, 0), seconds=2.0)
    joined = join_measured([one, other], [0.0, 4.0])
    assert joined.due.tolist() == [0.5, 4.5]
    assert (joined.seconds, joined.errors) == (6.0, 1)


def test_recovery_is_when_two_seconds_in_a_row_bring_the_rate() -> None:
    answers = [(float(second), 0.0, 200) for second in (0, 2, 3) for _ in range(10)]
    assert _find_recovery(measured(*answers, seconds=4.0), NORMAL * 10) == 2.0
    assert _find_recovery(measured(*answers, seconds=4.0), 11) is None


def test_samples_are_taken_and_a_failed_look_is_left_out() -> None:
    looks, enough = iter([1.0, None, 3.0]), threading.Event()

    def look() -> dict[str, float]:
        value = next(looks, 4.0)
        if value == 4.0:
            enough.set()
        if value is None:
            raise OSError("no answer")
        return {"value": value}

    with sample_during(look, 0.001) as samples:
        assert enough.wait(10)
    assert samples.lines["value"][1][:3] == [1.0, 3.0, 4.0]


def test_panels_are_drawn(tmp_path: Path) -> None:
    path = tmp_path / "plots" / "x.png"
    plot_panels(path, "title", {"y": {"line": ([0, 1], [1, 2])}, "z": {"other": ([0], [3])}})
    assert path.read_bytes().startswith(b"\x89PNG")
