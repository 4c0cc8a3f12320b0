"""The child process that runs Ray: started, heard, stopped, and nothing of it left behind."""

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from serve_app.core.errors import ConfigurationError
from serve_app.local.processes import descendants, end_processes
from serve_app.local.serving import serving_environment

STOP_SECONDS = 30.0


class RayProcess:
    """`python -m deployments.local` and all of its descendants."""

    def __init__(self, host: str, port: int, log: Path) -> None:
        self.log = log
        self._host = host
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        # Unix sockets lie below it: their paths must stay under 107 bytes.
        self._directory = Path(tempfile.mkdtemp(prefix="fm-", dir=_short_temporary_directory()))

    def start(self, database_url: str, stop: threading.Event) -> None:
        """Return when the service answers, or when `stop` is set.

        Raises ConfigurationError with what the child said when it cannot start.
        """
        environment = os.environ | serving_environment(self._directory, self._host)
        environment["FLEETMEM_DATABASE_URL"] = database_url
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
        if self._process is not None:
            family = descendants(self._process.pid)
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            end_processes(family)
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


def _short_temporary_directory() -> str:
    """The system's temporary directory, or /tmp where that name is too long for a socket."""
    directory = tempfile.gettempdir()
    return directory if len(directory) <= 12 else "/tmp"
