import json
from pathlib import Path

from bench.reporting import describe_machine, name_variant, plot_lines, tabulate, write_result


def test_a_result_tells_machine_and_commit_and_is_one_line(tmp_path: Path, capsys) -> None:
    path = write_result("probe", {"rows": [1]}, tmp_path)
    written = json.loads(path.read_text())
    assert written["rows"] == [1]
    assert written["machine"]["cores"] >= 1
    assert written["commit"] != "unknown"
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0]) == written


def test_the_machine_is_told_without_its_name() -> None:
    host = Path("/etc/hostname")
    name = host.read_text().strip() if host.exists() else "no-such-name"
    assert name not in json.dumps(describe_machine())


def test_a_table_has_every_row_and_keeps_what_is_missing_empty() -> None:
    table = tabulate([{"a": "x", "b": 1234.5, "c": 0.1234}, {"a": "y", "b": 7}])
    assert table.splitlines() == [
        "| a | b | c |",
        "|---|---:|---:|",
        "| x | 1,234 | 0.123 |",
        "| y | 7 |  |",
    ]


def test_settings_make_another_result() -> None:
    assert name_variant("http", {}) == "http"
    assert name_variant("http", {"FLEETMEM_EMBEDDING_PRECISION": "INT8"}) == "http-int8"


def test_a_plot_is_written(tmp_path: Path) -> None:
    path = tmp_path / "plots" / "a.png"
    plot_lines(path, "title", ("x", "y"), {"one": ([1, 8, 64], [3, 2, 1])}, logarithmic=True)
    assert path.read_bytes().startswith(b"\x89PNG")
