import os
import subprocess
import sys

import pytest

from bench.processes import Usage, name_group, take_samples, watch_processes

BURN = "import time\nwhile time.process_time() < 0.4: pass\nprint(1, flush=True)\ninput()"


@pytest.mark.parametrize(
    ("command", "program", "group"),
    [
        ("ray::ServeReplica:fleetmem:Embedding", "ray::ServeRepli", "Embedding"),
        ("ray::ServeReplica:fleetmem:Ingress.handle", "python", "Ingress"),
        ("postgres: fleetmem fleetmem [local] idle", "postgres", "Postgres"),
        ("/x/haproxy -f haproxy.cfg -sf 12", "haproxy", "HAProxy"),
        ("ray::ServeController.listen_for_change", "python", "Ray controller"),
        ("python -m deployments.local --port 1", "python", "Ray"),
        ("python -m serve_app up --port 1", "python", "up"),
        ("sleep 1", "sleep", "sleep"),
    ],
)
def test_processes_bear_the_names_that_the_reader_knows(
    command: str, program: str, group: str
) -> None:
    assert name_group(command, program) == group


def test_a_process_that_starts_meanwhile_counts_whole() -> None:
    with watch_processes(os.getpid()) as usage:
        command = [sys.executable, "-c", BURN]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, executable=sys.executable
        )
        assert child.stdout is not None
        child.stdout.readline()
        burning = next(s for (pid, _), s in take_samples(os.getpid()).items() if pid == child.pid)
    child.communicate(b"\n")
    assert burning.cpu_seconds >= 0.35
    assert sum(usage.cpu_seconds.values()) >= 0.35
    assert sum(usage.peak_rss_bytes.values()) > 2**20


def test_what_was_used_before_is_not_counted() -> None:
    command = [sys.executable, "-c", BURN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with watch_processes(child.pid) as usage:
            pass
        child.communicate(b"\n")
    assert sum(usage.cpu_seconds.values()) < 0.1


def test_nothing_is_measured_of_a_service_that_we_did_not_start() -> None:
    with watch_processes(None) as usage:
        pass
    assert usage.milliseconds_each(10) == {"total": 0.0}


def test_cost_of_a_request_is_told_dearest_first() -> None:
    usage = Usage({"Ingress": 0.5, "Embedding": 1.5})
    assert list(usage.milliseconds_each(1000).items()) == [
        ("Embedding", 1.5),
        ("Ingress", 0.5),
        ("total", 2.0),
    ]
