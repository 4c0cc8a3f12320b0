"""A whole service of its own: `fleetmem up` as a user starts it, on a free port."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import httpx

from serve_app.local.postgres import find_running
from serve_app.local.serving import free_ports

START_SECONDS = 120


class RunningService:
    """Started by `start`, ended by `stop`; `lines` is what it has said so far."""

    def __init__(self, data_directory: Path, **settings: str) -> None:
        self.data_directory = data_directory
        [self.port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.lines: list[str] = []
        self.settings = settings
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Return when the service says that it is ready."""
        self.lines = []
        command = [sys.executable, "-m", "serve_app", "up", "--port", str(self.port)]
        command += ["--data-dir", str(self.data_directory), "--config", "configs/test.yaml"]
        self.process = subprocess.Popen(
            command, env=os.environ | self.settings, stderr=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._listen, daemon=True).start()
        wait_until(
            lambda: self._has_said("fleetmem is ready") or not self.is_running(), START_SECONDS
        )
        assert self.is_running(), "".join(self.lines)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and return the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30)

    def _has_said(self, words: str) -> bool:
        return any(words in line for line in self.lines)

    def _listen(self) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)


def ask(service: RunningService, statement: str, *values: object) -> object:
    """The first value that the service's own Postgres answers, past all row security."""
    dsn = find_running(service.data_directory)

    async def fetch() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Poll until `condition` holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.1)


def open_folder() -> Path:
    """A folder that the account of the embedded server may enter."""
    folder = Path(tempfile.mkdtemp(prefix="fleetmem-service-"))
    folder.chmod(0o755)
    return folder


def descendants(pid: int) -> dict[int, str]:
    """Every process below `pid`, with its command line."""
    parents: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((directory / "stat").read_text().rsplit(")", 1)[1].split()[1])
            names[int(directory.name)] = (
                (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            )
        except OSError:
            continue
        parents.setdefault(parent, []).append(int(directory.name))
    found: dict[int, str] = {}
    ahead = [pid]
    while ahead:
        for child in parents.get(ahead.pop(), []):
            found[child] = names[child]
            ahead.append(child)
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def processes_named(pid: int, words: str) -> list[int]:
    """Descendants of `pid` whose command line holds `words`."""
    return [child for child, name in descendants(pid).items() if words in name]
