import os
import time

import pytest

from serve_app.embedding.cores import TICKS, IdleCores, count_usable_cores

AFFINITY = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", AFFINITY),
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("900000 1000", AFFINITY),
    ],
)
def test_takes_the_lesser_of_affinity_and_quota(tmp_path, quota, cores):
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert count_usable_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", AFFINITY), ("100000", 1)])
def test_reads_the_older_control_groups(tmp_path, quota, cores):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert count_usable_cores(tmp_path) == cores


def test_takes_the_affinity_where_no_control_group_is(tmp_path):
    assert count_usable_cores(tmp_path / "nothing") == AFFINITY


def tell(stat, idle, waiting):
    """As Linux does: seconds of all cores."""
    stat.write_text(f"cpu  7 7 7 {round(idle * TICKS)} {round(waiting * TICKS)} 7 7\ncpu0 1 1\n")


def test_tells_how_many_cores_idled_since_the_last_look(tmp_path):
    stat, now = tmp_path / "stat", iter([100.0, 100.4, 102.0, 102.1, 103.0])
    tell(stat, 50, 5)
    cores = IdleCores(stat, lambda: next(now))
    tell(stat, 52, 6)
    assert cores.read() == 0.0  # not looked yet
    assert cores.read() == 1.5
    tell(stat, 60, 6)
    assert cores.read() == 1.5  # looked just now
    assert cores.read() == 8.0


@pytest.mark.parametrize("told", ["", "cpu  1 2 3\n", "cpu  a b c d e f g\n", None])
def test_where_nobody_tells_no_core_idles(tmp_path, told):
    if told is not None:
        (tmp_path / "stat").write_text(told)
    now = iter([0.0, 10.0])
    assert IdleCores(tmp_path / "stat", lambda: next(now)).read() == 0.0


def test_no_more_cores_idle_than_there_are():
    now = iter([time.monotonic(), time.monotonic() + 1])
    cores = IdleCores(clock=lambda: next(now))
    assert cores._ticks > 0  # this system tells
    assert 0 <= cores.read() <= (os.cpu_count() or 1)
