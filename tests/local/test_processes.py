import subprocess
import sys

import psutil

from serve_app.local.processes import descendants, end_processes

# A parent whose child ignores SIGTERM and hides its command line, as Ray's agents do.
FAMILY = """
import signal, subprocess, sys
if sys.argv[1:] == ["child"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
    sys.stdin.read()
else:
    child = subprocess.Popen([sys.executable, "-c", sys.orig_argv[2], "child"])
    child.wait()
"""


def test_an_orphan_that_ignores_sigterm_is_ended() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    family = descendants(parent.pid)
    parent.kill()
    parent.wait()
    assert [child.is_running() for child in family] == [True]
    end_processes(family)
    assert not any(
        child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in family
    )


def test_a_process_that_is_gone_has_no_descendants_and_needs_no_end() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    known = psutil.Process(process.pid)
    process.wait()
    assert descendants(process.pid) == []
    end_processes([known])
