import os

import pytest

from serve_app.embedding.cores import count_running_threads, count_usable_cores

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


@pytest.mark.parametrize(
    ("load", "running"),
    [("0.79 0.95 1.18 3/83 22997\n", 3), ("0.00 0.00 0.00 0/0 0\n", 0), ("", 0), ("a b c d/e", 0)],
)
def test_counts_the_running_threads_of_the_machine(tmp_path, load, running):
    (tmp_path / "loadavg").write_text(load)
    assert count_running_threads(tmp_path / "loadavg") == running


def test_where_nobody_tells_the_count_is_unknown(tmp_path):
    assert count_running_threads(tmp_path / "nothing") == 0


def test_whoever_counts_runs():
    assert count_running_threads() >= 1
