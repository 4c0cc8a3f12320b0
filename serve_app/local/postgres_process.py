"""The life of a server process: born clean, ended gently, gone when its parent is gone."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

STOP_SECONDS = 30.0

_PR_SET_PDEATHSIG = 1


def shut_down(server: subprocess.Popen[bytes]) -> None:
    """Fast shutdown (SIGINT); an immediate one (SIGQUIT, recovers at start) when that hangs."""
    for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is not None:
            return
        server.send_signal(request)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def runs_postgres(pid: str, cluster: Path) -> bool:
    """Whether that process lives and is a postmaster of `cluster`, not one with a reused id."""
    try:
        os.kill(abs(int(pid)), 0)
        if sys.platform != "linux":
            return True
        return os.fsencode(cluster) in Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError, ValueError):
        return False


def clean_environment() -> dict[str, str]:
    """A clean environment: no PG* variable and no locale of the caller leaks in."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def die_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes Postgres: ask for SIGINT when its parent is gone."""
    if sys.platform != "linux":
        return None
    set_control = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        if set_control(_PR_SET_PDEATHSIG, int(signal.SIGINT)) or os.getppid() != parent:
            os._exit(1)

    return ask
