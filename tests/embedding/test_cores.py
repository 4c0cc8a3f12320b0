import os

import pytest

from serve_app.embedding.cores import count_usable_cores

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
