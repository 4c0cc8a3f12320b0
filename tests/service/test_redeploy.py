"""Every replica is replaced under load: nobody is answered with an error, and nothing is lost."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.running import (
    RunningService,
    descendants,
    open_folder,
    processes_named,
    wait_until,
)
from tests.service.writing import Writer, all_are_there, writes_go_on

GCS_ADDRESS = re.compile(r"--gcs-address=(\S+)")

DEPLOYMENTS = ("Ingress", "Embedding", "Retrieval")


@pytest.fixture
def service() -> Iterator[RunningService]:
    folder = open_folder()
    running = RunningService(folder, FLEETMEM_SUMMARIZATION_ENABLED="false")
    running.start()
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)


def find_ray(service: RunningService) -> tuple[dict[str, str], str]:
    """The environment of the service's own Ray, and its address."""
    assert service.process is not None
    family = descendants(service.process.pid)
    [pid] = processes_named(service.process.pid, "deployments.local")
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    environment = dict(entry.split("=", 1) for entry in entries if "=" in entry)
    addresses = {match[1] for name in family.values() if (match := GCS_ADDRESS.search(name))}
    [address] = addresses
    return environment, address


def replicas(service: RunningService) -> set[int]:
    assert service.process is not None
    names = [f"ServeReplica:fleetmem:{name}" for name in DEPLOYMENTS]
    return {pid for name in names for pid in processes_named(service.process.pid, name)}


def test_replicas_are_replaced_without_an_error(service: RunningService) -> None:
    before = replicas(service)
    environment, address = find_ray(service)
    with Writer(service) as writer:
        writes_go_on(writer)
        command = [sys.executable, "-m", "tests.service.redeploy", address]
        subprocess.run(command, env=os.environ | environment, check=True, timeout=90)
        wait_until(lambda: not before & replicas(service), 60)
        writes_go_on(writer)
    assert len(replicas(service)) >= len(DEPLOYMENTS)
    assert writer.refused == []
    all_are_there(service, writer.acknowledged)
