"""Check that every file of core/ and operations/ is fully covered by its own test file.

One run of pytest: coverage is told which test file is at work (its "dynamic context"), and each
source file is then judged by the branches that its own test file alone went through.
"""

import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("core", "operations")
IMPORTING = ""
"""The context of what runs while modules are imported; it belongs to every test file."""


class ContextSwitch:
    """A plugin of pytest that names the test file at work to coverage."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self._measured = measured

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Set the context around one test, its fixtures included."""
        self._measured.switch_context(item.path.relative_to(ROOT).as_posix())
        return (yield)


def own_test(source: Path) -> Path:
    """The test file that mirrors a source file."""
    return ROOT / "tests" / source.parent.name / f"test_{source.name}"


def list_sources() -> list[Path]:
    """Every file that needs a test file; an empty `__init__.py` needs none."""
    found = [path for name in PACKAGES for path in (ROOT / "serve_app" / name).glob("*.py")]
    return sorted(path for path in found if path.read_text(encoding="utf-8").strip())


def run_tests(measured: coverage.Coverage) -> int:
    """Run the tests of the packages under coverage; pytest's exit status."""
    directories = [str(ROOT / "tests" / name) for name in PACKAGES]
    measured.start()
    try:
        return pytest.main(["-q", *directories], plugins=[ContextSwitch(measured)])
    finally:
        measured.stop()


def judge(source: Path, gathered: coverage.CoverageData) -> tuple[float, str]:
    """Percent of the file that its own test covers, and coverage's table of what is missing."""
    test = own_test(source).relative_to(ROOT).as_posix()
    gathered.set_query_contexts([f"^{IMPORTING}$", f"^{test}$"])
    alone = coverage.Coverage(data_file=None, branch=True, config_file=False)
    alone.get_data().add_arcs({str(source): gathered.arcs(str(source)) or []})
    table = StringIO()
    percent = alone.report([str(source)], show_missing=True, file=table)
    return percent, table.getvalue()


def main() -> int:
    """Exit status 1 when a test fails, a test file is missing or a branch is not covered."""
    sources = list_sources()
    measured = coverage.Coverage(
        data_file=None, branch=True, include=[str(source) for source in sources], config_file=False
    )
    status = run_tests(measured)
    gathered = measured.get_data()
    for source in sources:
        if not own_test(source).exists():
            print(f"{source.relative_to(ROOT)} has no {own_test(source).relative_to(ROOT)}")
            status = 1
            continue
        percent, table = judge(source, gathered)
        if percent < 100:
            print(table)
            status = 1
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
