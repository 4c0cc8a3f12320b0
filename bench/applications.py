"""Applications that need no database, started in the product's own serving environment."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from bench.reporting import ROOT, say
from bench.running import Service, ServiceNotReady
from serve_app.local.processes import descendants, end_processes
from serve_app.local.serving import free_ports, serving_environment

STOP_SECONDS = 40.0
HOST = "127.0.0.1"


@contextmanager
def open_application(module: str, **settings: str) -> Generator[Service]:
    """Ray with the application of `module` on it, until the end of the block.

    `settings` are environment variables of the application (FLEETMEM_...). Raises ServiceNotReady
    with what Ray has said.
    """
    # Unix sockets lie below it: their paths must stay under 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="fb-", dir="/tmp"))
    [port] = free_ports(1)
    command = [sys.executable, "-m", "bench.local", module, "--port", str(port)]
    command += ["--run-directory", str(directory)]
    environment = os.environ | serving_environment(directory, HOST) | settings
    say(f"Starting {module} on port {port}")
    try:
        with (directory / "log").open("wb") as log:
            process = _spawn(command, environment, log.fileno(), subprocess.PIPE)
            try:
                _await_ready(process, directory / "log")
                yield Service(f"http://{HOST}:{port}", process.pid)
            finally:
                _stop(process)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        say(f"{module} has stopped")


@contextmanager
def open_hello() -> Generator[Service]:
    """A bare uvicorn with one FastAPI route, to know how fast the machine is just now."""
    [port] = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", "bench.hello:api", "--port", str(port)]
    say("Starting uvicorn")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = _spawn([*command, "--log-level", "error"], environment, None, None)
    url = f"http://{HOST}:{port}"
    patience = Retrying(
        retry=retry_if_exception_type(httpx.ConnectError),
        stop=stop_after_delay(20),
        wait=wait_fixed(0.1),
        reraise=True,
    )
    try:
        patience(httpx.get, url)
        yield Service(url, process.pid)
    finally:
        _stop(process)


def _spawn(
    command: list[str], environment: dict[str, str], log: int | None, output: int | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=log,
        # Ctrl-C is for us; we stop the child in good order then.
        start_new_session=True,
    )


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(b"{"):
            answer = json.loads(line)
            if answer["ready"]:
                return
            raise ServiceNotReady(answer["error"])
    raise ServiceNotReady(log.read_text(encoding="utf-8", errors="replace")[-2000:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    family = descendants(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    end_processes(family)
