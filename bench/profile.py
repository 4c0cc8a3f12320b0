"""Where the deployments spend their time: py-spy over each of them while the service is loaded.

Needs `py-spy` (PyPI) beside Python. Only threads that hold the interpreter's lock are counted, so
the waiting ones are left out, and so is ONNX, which runs without it.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from bench.client import Load, LoadClient, open_client
from bench.http import WORKLOADS
from bench.processes import take_samples
from bench.reporting import say, tabulate
from bench.running import Service, open_service
from bench.workload import seed_scopes

RATE = 200
"""Samples a second."""

GROUPS = ("Ingress", "Embedding", "Retrieval")
OURS = {"serve_app"}
WARM_UP_SECONDS = 3.0
LEAST_SHARE = 0.03
RUNTIME = re.compile(
    r"<module>|_bootstrap|default_worker|run_forever|main_loop|\(threading\.py\)|runners\.py"
)
"""Frames that every stack has."""


def main(
    callers: Annotated[int, typer.Option(help="Callers of the closed loop.")] = 64,
    seconds: Annotated[float, typer.Option(help="Length of a recording.")] = 10.0,
    workloads: Annotated[str, typer.Option(help="Which of unique, repeated, mixed.")] = (
        "unique,repeated"
    ),
) -> None:
    """Tell the share of each package and function; example: python -m bench profile --seconds 5."""
    with open_service() as service, open_client() as client:
        seed_scopes(service.url)
        for number, name in enumerate(workloads.split(",")):
            source = WORKLOADS[name]
            client.run(Load(service.url, source, WARM_UP_SECONDS, callers, seed=2 * number))
            load = Load(service.url, source, seconds + 2, callers, seed=2 * number + 1)
            for group, stacks in record(service, client, load, seconds).items():
                held = sum(stacks.values()) / RATE / seconds
                print(f"\n{name}, {callers} callers, {group}: lock held {held:.0%} of the time\n")
                print(tabulate(share_packages(stacks)) + "\n")
                print(tabulate(share_frames(stacks)))


def record(
    service: Service, client: LoadClient, load: Load, seconds: float
) -> dict[str, Counter[str]]:
    """Stacks by deployment, each with its number of samples, taken while `load` runs."""
    assert service.pid is not None
    found = take_samples(service.pid)
    pids = {sample.group: pid for (pid, _), sample in found.items() if sample.group in GROUPS}
    with tempfile.TemporaryDirectory() as directory:
        running = client.start(load)
        paths = {group: Path(directory) / group for group in pids}
        spies = [_spy(pids[group], path, seconds) for group, path in paths.items()]
        statuses = [spy.wait() for spy in spies]
        say(f"{running.result().rate:.0f} requests/s while py-spy looked")
        if any(statuses):
            sys.exit("py-spy failed: it needs the right to trace other processes (root, ptrace)")
        return {group: _read_stacks(path) for group, path in paths.items()}


def share_packages(stacks: Counter[str]) -> list[dict[str, object]]:
    """Packages by the share of samples that they, or what they call of Python's own, are in."""
    shares = Counter[str]()
    for stack, samples in stacks.items():
        shares[_find_package(stack)] += samples
    total = max(1, sum(stacks.values()))
    return [
        {"package": package, "share": f"{samples / total:.0%}"}
        for package, samples in shares.most_common()
        if samples / total >= LEAST_SHARE
    ] or [{"package": "nothing above 3 %", "share": ""}]


def _find_package(stack: str) -> str:
    """The innermost package that is not Python's own; of ours with its storey."""
    for frame in reversed(stack.split(";")):
        path = frame.rpartition("(")[2].split(":")[0]
        package, slash, rest = path.partition("/")
        if not slash or package in sys.stdlib_module_names or RUNTIME.search(frame):
            continue
        return f"{package}/{rest.split('/')[0]}" if package in OURS else package
    return "Python"


def share_frames(stacks: Counter[str]) -> list[dict[str, object]]:
    """Functions by the share of samples in which they are anywhere on the stack."""
    shares = Counter[str]()
    for stack, samples in stacks.items():
        for frame in {re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";")}:
            shares[frame] += samples
    total = max(1, sum(stacks.values()))
    return [
        {"function": frame, "share": f"{samples / total:.0%}"}
        for frame, samples in shares.most_common()
        if samples / total >= LEAST_SHARE and not RUNTIME.search(frame)
    ] or [{"function": "nothing above 3 %", "share": ""}]


def _spy(pid: int, path: Path, seconds: float) -> subprocess.Popen[bytes]:
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or "py-spy"
    command = [program, "record", "--gil", "-d", str(max(1, round(seconds))), "-r", str(RATE)]
    return subprocess.Popen(
        [*command, "-f", "raw", "-o", str(path), "-p", str(pid)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _read_stacks(path: Path) -> Counter[str]:
    stacks = Counter[str]()
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, samples = line.rsplit(" ", 1)
        stacks[stack] += int(samples)
    return stacks


if __name__ == "__main__":
    typer.run(main)
