"""The child process that runs Ray: started, heard, stopped, and nothing of it left behind."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from serve_app.core.errors import ConfigurationError
from serve_app.local.serving import serving_environment

INSTANCE = "FLEETMEM_INSTANCE"
STOP_SECONDS = 30.0


class RayProcess:
    """`python -m deployments.local` and all of its descendants, marked in their environment."""

    def __init__(self, host: str, port: int, log: Path) -> None:
        self.log = log
        self._host = host
        self._port = port
        self._instance = uuid.uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None
        # Unix sockets lie below it: their paths must stay under 107 bytes.
        self._directory = Path(tempfile.mkdtemp(prefix="fm-", dir=_short_temporary_directory()))

    def start(self, database_url: str, stop: threading.Event) -> None:
        """Return when the service answers, or when `stop` is set.

        Raises ConfigurationError with what the child said when it cannot start.
        """
        environment = os.environ | serving_environment(self._directory, self._host)
        environment |= {"FLEETMEM_DATABASE_URL": database_url, INSTANCE: self._instance}
        command = [sys.executable, "-m", "deployments.local", "--host", self._host]
        command += ["--port", str(self._port), "--run-directory", str(self._directory)]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                # Ctrl-C reaches the parent only, which then stops the child in good order.
                start_new_session=True,
            )
        answer = self._await_line(stop)
        if answer is not None and not answer["ready"]:
            raise ConfigurationError(f"the service did not start: {answer['error']}")

    def is_running(self) -> bool:
        """Whether the child lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ask the child to stop, and end whatever it has left."""
        if self._process is not None and self.is_running():
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        end_marked_processes(f"{INSTANCE}={self._instance}")
        shutil.rmtree(self._directory, ignore_errors=True)

    def _await_line(self, stop: threading.Event) -> dict[str, Any] | None:
        """The first JSON line of the child; None once `stop` is set."""
        assert self._process is not None
        assert self._process.stdout is not None
        while not stop.is_set():
            if not select.select([self._process.stdout], [], [], 0.2)[0]:
                continue
            line = self._process.stdout.readline()
            if not line:
                status = self._process.wait()
                raise ConfigurationError(f"Ray ended with status {status}; see {self.log}")
            if line.startswith(b"{"):
                return json.loads(line)
        return None


def end_marked_processes(mark: str) -> None:
    """SIGKILL every process that has `mark` (NAME=value) in its environment, and wait for it."""
    deadline = time.monotonic() + STOP_SECONDS
    while (found := _marked_processes(mark)) and time.monotonic() < deadline:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def _marked_processes(mark: str) -> list[int]:
    found: list[int] = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            marked = mark.encode() in (directory / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # ended meanwhile, a zombie, or another user's
        if marked and int(directory.name) != os.getpid():
            found.append(int(directory.name))
    return found


def _short_temporary_directory() -> str:
    """The system's temporary directory, or /tmp where that name is too long for a socket."""
    directory = tempfile.gettempdir()
    return directory if len(directory) <= 12 else "/tmp"
