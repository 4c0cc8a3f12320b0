"""Ending processes whose parents may be gone already."""

from collections.abc import Sequence

import psutil

KILL_SECONDS = 10.0


def descendants(pid: int) -> list[psutil.Process]:
    """Every process below `pid` now; empty when there is no such process.

    Ask before the parent ends: its children then belong to nobody.
    """
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def end_processes(processes: Sequence[psutil.Process], patience: float = 0.0) -> None:
    """Give them `patience` seconds to end by themselves, SIGKILL the rest, and wait for them.

    A process id that was given to another process meanwhile is left alone.
    """
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=KILL_SECONDS)
