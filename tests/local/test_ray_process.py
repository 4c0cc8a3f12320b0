import os
import subprocess
import sys
import uuid

from serve_app.local.ray_process import end_marked_processes

SLEEP = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]


def sleeper(mark: str) -> subprocess.Popen[bytes]:
    """A process that waits for ever, with `mark` in its environment."""
    name, value = mark.split("=")
    process = subprocess.Popen(
        SLEEP, env=os.environ | {name: value}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_only_marked_processes_are_ended() -> None:
    ours, others = f"FLEETMEM_TEST={uuid.uuid4()}", f"FLEETMEM_TEST={uuid.uuid4()}"
    marked, bystander = sleeper(ours), sleeper(others)
    try:
        end_marked_processes(ours)
        assert marked.wait(10) == -9
        assert bystander.poll() is None
    finally:
        for process in (marked, bystander):
            process.kill()
            process.wait()
