import json
import subprocess
from pathlib import Path
from shutil import which

import pytest
import typer

from bench import gpu
from serve_app.core.errors import ConfigurationError
from serve_app.embedding.shape_buckets import Bucket

ROOT = Path(__file__).parents[2]
without_gpu = pytest.mark.skipif(which("nvidia-smi") is not None, reason="a GPU is here")


def test_measures_each_shape_and_leaves_a_line_and_a_table(tmp_path, capsys):
    gpu.main(device="cpu", seconds=0.01, shapes="1x16,4x16", results=tmp_path)
    printed = capsys.readouterr().out.splitlines()
    line = json.loads(printed[0])
    assert line == json.loads((tmp_path / "gpu-tried-on-cpu.json").read_text())
    assert [row["shape"] for row in line["rows"]] == ["1x16", "4x16"]
    for row in line["rows"]:
        assert row["GPU busy %"] == "not run"
        assert 0 < row["p50 ms"] <= row["p99 ms"]
        assert row["embeddings/s"] > 0
        assert row["of bare"] == pytest.approx(row["embeddings/s"] / row["bare embeddings/s"])
    assert printed[1].startswith("| shape | embeddings/s |")


@without_gpu
def test_refuses_where_there_is_no_gpu(tmp_path, capsys):
    with pytest.raises(typer.Exit):
        gpu.main(device="cuda", seconds=0.01, shapes="1x16", results=tmp_path)
    assert "there is no NVIDIA GPU here" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@without_gpu
def test_the_command_refuses_before_it_installs_anything():
    command = [str(ROOT / "scripts" / "bench_gpu")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "nothing was run" in answer.stderr


def test_the_command_explains_itself():
    command = [str(ROOT / "scripts" / "bench_gpu"), "--help"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Example: scripts/bench_gpu --shapes" in answer.stdout


def test_shapes_are_chosen_by_rows_and_tokens():
    assert gpu.choose_shapes("64x32,1x256") == (Bucket(64, 32), Bucket(1, 256))
    assert len(gpu.choose_shapes("all")) == 36
    with pytest.raises(ConfigurationError, match="no such shape: 3x7"):
        gpu.choose_shapes("3x7")


def test_reads_what_nvidia_smi_says_and_ends_it(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '[N/A]'\necho 40\necho 60\nmkfifo $0.done\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with gpu.sample_busy_share("cuda") as samples:
        while not program.with_name("nvidia-smi.done").exists():
            pass
    assert samples == [40, 60]


def test_runs_at_least_once():
    runs = gpu.time_runs(lambda: None, 0)
    assert len(runs) == 1
