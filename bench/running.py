"""A whole service to measure: `fleetmem up` on a free port, with data of its own."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer

from bench.reporting import say
from serve_app.local.processes import descendants, end_processes
from serve_app.local.serving import free_ports
from serve_app.settings import Settings

START_SECONDS = 180.0
STOP_SECONDS = 60.0
DSN_LINE = "Postgres answers at "

SettingOption = Annotated[
    list[str] | None, typer.Option(help="NAME=VALUE of a setting of the service; repeat it.")
]
"""The option `--setting` of a benchmark; `parse_settings` reads it."""


class ServiceNotReady(Exception):
    """The service ended or stayed silent; the text holds what it said."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service answers; `pid` and `database_url` are None where we did not start it."""

    url: str
    pid: int | None = None
    database_url: str | None = None


@contextmanager
def open_service(host: str | None = None, **settings: str) -> Generator[Service]:
    """A service that is ready, and gone with its data afterwards; `host` takes a running one.

    `settings` are named as in the README, or as in the environment. Raises ServiceNotReady.
    """
    settings = {_name_variable(name): value for name, value in settings.items()}
    if host is not None:
        _require_ready(host)
        yield Service(host.rstrip("/"))
        return
    with open_folder() as folder, start_service(folder / "data", settings) as service:
        yield service


@contextmanager
def open_folder() -> Generator[Path]:
    """A folder for a service's data, which the account of the embedded server may enter."""
    with tempfile.TemporaryDirectory(prefix="fleetmem-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def start_service(data_directory: Path, environment: dict[str, str]) -> Generator[Service]:
    """A service that is ready, on data that stays. Raises ServiceNotReady."""
    started = _StartedService(data_directory, environment)
    try:
        yield started.wait_until_ready()
    finally:
        started.stop()


def parse_settings(pairs: list[str] | None) -> dict[str, str]:
    """The service's environment of NAME=VALUE pairs; ends the program when one is wrong."""
    split = [pair.partition("=") for pair in pairs or []]
    for name, equals, _ in split:
        if not equals:
            sys.exit(f"--setting wants NAME=VALUE, not {name}")
    return {_name_variable(name): value for name, _, value in split}


def _name_variable(setting: str) -> str:
    """The environment's name of a setting; a wrong name would measure the default unnoticed."""
    field = setting.lower().removeprefix("fleetmem_")
    if field not in Settings.model_fields:
        sys.exit(f"there is no setting {setting}; the README lists them")
    return f"FLEETMEM_{field.upper()}"


class _StartedService:
    def __init__(self, data_directory: Path, settings: dict[str, str]) -> None:
        [port] = free_ports(1)
        self._url = f"http://127.0.0.1:{port}"
        self._lines: list[str] = []
        command = [sys.executable, "-m", "serve_app", "up", "--port", str(port)]
        shown = " ".join(f"{name}={value}" for name, value in settings.items())
        say(f"Starting fleetmem up on port {port} {shown}")
        self._process = subprocess.Popen(
            [*command, "--data-dir", str(data_directory)],
            env=os.environ | settings,
            stderr=subprocess.PIPE,
            text=True,
            # Ctrl-C is for us; we stop the service in good order then.
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def wait_until_ready(self) -> Service:
        deadline = time.monotonic() + START_SECONDS
        while not any("fleetmem is ready" in line for line in self._lines):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServiceNotReady("the service did not start:\n" + "".join(self._lines))
            time.sleep(0.1)
        return Service(self._url, self._process.pid, self._find_database())

    def stop(self) -> None:
        family = descendants(self._process.pid)
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        end_processes(family)
        self._listener.join(1)
        say("The service has stopped")

    def _find_database(self) -> str | None:
        found = [line.split(DSN_LINE, 1)[1].strip() for line in self._lines if DSN_LINE in line]
        return found[0] if found else None

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append(line)
            say(f"  {line.rstrip()}")


def _require_ready(host: str) -> None:
    try:
        answer = httpx.get(f"{host.rstrip('/')}/readyz", timeout=10)
    except httpx.HTTPError as error:
        raise ServiceNotReady(f"nothing answers at {host}: {error}") from error
    if not answer.is_success:
        raise ServiceNotReady(f"{host} is not ready: {answer.status_code} {answer.text[:200]}")
