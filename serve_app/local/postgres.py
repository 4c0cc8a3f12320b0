"""Embedded Postgres: a server that is the child of this process and dies with it.

data_dir/owner.lock   held (flock) by the one process that owns the directory
data_dir/postgres     the cluster; made in a temporary folder and renamed when complete
data_dir/postgres.log what the server said since its last start
data_dir/run          the unix socket (0700), or a temporary folder where the path is too long
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO
from urllib.parse import quote

from serve_app.core.errors import ConfigurationError, DataDirectoryInUse
from serve_app.local.postgres_binaries import Account, choose_account, find_binaries
from serve_app.local.postgres_process import (
    clean_environment,
    die_with_parent,
    runs_postgres,
    shut_down,
)

DATABASE = "fleetmem"
START_SECONDS = 60.0
LONGEST_SOCKET_DIRECTORY = 80
"""Bytes; sun_path holds 104 to 108, and the socket's own name takes up to 20."""

PARAMETERS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "100",
    # A container's /dev/shm of 64 MiB is too small for a parallel index build.
    "max_parallel_maintenance_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_wal_size": "4GB",
    "wal_compression": "on",
    "jit": "off",
    "random_page_cost": "1.1",
    # A first import doubles what searches cost the server until its tables are analysed.
    "autovacuum_naptime": "10s",
}

INITDB_OPTIONS = (
    "--encoding=UTF8",
    "--locale-provider=builtin",  # the same order of text on every machine
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--auth-local=trust",  # only the owner and root can reach the socket
    "--auth-host=reject",
    "--no-instructions",
)


class EmbeddedPostgres:
    """One server on one data directory; reached only through a socket in a closed folder.

    On Linux the server shuts down by itself when the *thread* that started it ends.
    """

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir.expanduser().absolute()
        self._cluster = self._directory / "postgres"
        self._log = self._directory / "postgres.log"
        self._lock: IO[bytes] | None = None
        self._sockets: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._account = Account()

    @property
    def dsn(self) -> str:
        """The address for asyncpg, unchanged by a restart; there is no password to leak."""
        if self._sockets is None:
            raise ConfigurationError("embedded Postgres has no address before it is started")
        return _write_dsn(self._sockets)

    @property
    def pid(self) -> int | None:
        """The process of the postmaster, None before start and after stop."""
        return self._server.pid if self._server else None

    def start(self) -> "EmbeddedPostgres":
        """Return once the server takes connections.

        Raises DataDirectoryInUse, or ConfigurationError with the server's own last words.
        """
        self._account = choose_account()
        self._prepare_directory()
        self._lock = _lock(self._directory / "owner.lock")
        try:
            binaries = find_binaries(self._account)
            self._sockets = self._sockets or self._make_socket_directory()
            if not self._cluster.exists():
                self._initialise(binaries)
            self._launch(binaries)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Shut the server down cleanly and let go of the directory; harmless when stopped."""
        if self._server is not None:
            shut_down(self._server)
            self._server = None
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def poll(self) -> int | None:
        """The exit status of a server that died, None while it runs (or never did)."""
        return self._server.poll() if self._server else None

    def restart_if_dead(self) -> bool:
        """Start the server again at the same address if it died; whether it had."""
        if self.poll() is None:
            return False
        self._launch(find_binaries(self._account))
        return True

    def _prepare_directory(self) -> None:
        """Make the directory; raise ConfigurationError where the account cannot reach it."""
        if not self._directory.exists():
            self._directory.mkdir(parents=True)
            self._directory.chmod(0o711)
        if not self._account.may("-x", self._directory):
            raise ConfigurationError(
                f"user id {self._account.uid}, who runs Postgres because root may not, cannot "
                f"enter {self._directory}: choose another --data-dir, such as "
                "/var/lib/fleetmem/data, or open its parents (chmod o+x)"
            )

    def _make_socket_directory(self) -> Path:
        directory = self._directory / "run"
        if len(os.fsencode(directory)) > LONGEST_SOCKET_DIRECTORY:
            directory = Path(tempfile.mkdtemp(prefix="fleetmem-"))
        else:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
        directory.chmod(0o700)
        self._account.own(directory)
        return directory

    def _initialise(self, binaries: Path) -> None:
        """Make a cluster with an empty database; a crash midway leaves no half of one."""
        for leftover in self._directory.glob("unfinished-*"):
            shutil.rmtree(leftover)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=self._directory))
        self._account.own(unfinished)
        self._run(
            [str(binaries / "initdb"), "-D", str(unfinished), "-U", DATABASE, *INITDB_OPTIONS]
        )
        self._run(
            [str(binaries / "postgres"), "--single", "-j", "-D", str(unfinished), "postgres"],
            f"create database {DATABASE};\n\n",
        )
        unfinished.rename(self._cluster)

    def _run(self, command: list[str], script: str = "") -> None:
        done = subprocess.run(
            command,
            input=script,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=clean_environment(),
            user=self._account.uid,
            group=self._account.gid,
            extra_groups=None if self._account.uid is None else [],
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise ConfigurationError(f"{Path(command[0]).name} failed: {said[-500:]}")

    def _launch(self, binaries: Path) -> None:
        """Start until it is ready; what a killed predecessor left gets time to go away."""
        deadline = time.monotonic() + START_SECONDS
        self._await_predecessor(deadline)
        while True:
            self._server = self._spawn(binaries)
            if self._await_ready(self._server, deadline):
                return
            said = self._last_words()
            # Children of a killed postmaster keep its shared memory until they notice.
            if "shared memory block" not in said or time.monotonic() > deadline:
                raise ConfigurationError(f"Postgres does not start on {self._cluster}: {said}")
            time.sleep(0.2)

    def _spawn(self, binaries: Path) -> subprocess.Popen[bytes]:
        parameters = {**PARAMETERS, "unix_socket_directories": str(self._sockets)}
        options = [part for name in parameters for part in ("-c", f"{name}={parameters[name]}")]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [str(binaries / "postgres"), "-D", str(self._cluster), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=clean_environment(),
                user=self._account.uid,
                group=self._account.gid,
                extra_groups=None if self._account.uid is None else [],
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    def _await_ready(self, server: subprocess.Popen[bytes], deadline: float) -> bool:
        """Whether it took connections before it died; raises at the deadline."""
        while server.poll() is None:
            lines = self._pid_file_lines()
            if len(lines) > 7 and lines[0] == str(server.pid) and lines[7].strip() == "ready":
                return True
            if time.monotonic() > deadline:
                shut_down(server)
                raise ConfigurationError(
                    f"Postgres was not ready in {START_SECONDS:.0f} s: {self._last_words()}"
                )
            time.sleep(0.02)
        return False

    def _await_predecessor(self, deadline: float) -> None:
        """Let a server whose parent was killed finish; drop the pid file of a dead one."""
        while lines := self._pid_file_lines():
            if not runs_postgres(lines[0], self._cluster):
                (self._cluster / "postmaster.pid").unlink(missing_ok=True)
                return
            if time.monotonic() > deadline:
                raise DataDirectoryInUse(
                    f"process {lines[0]}, a Postgres we did not start, works in {self._cluster}: "
                    "stop it first"
                )
            time.sleep(0.05)

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"


def find_running(data_directory: Path) -> str | None:
    """The address of the server that works on the directory now; None where none does."""
    cluster = data_directory / "postgres"
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    is_ready = len(lines) > 7 and lines[7].strip() == "ready" and runs_postgres(lines[0], cluster)
    return _write_dsn(lines[4]) if is_ready else None


def _write_dsn(sockets: object) -> str:
    return f"postgresql://{DATABASE}@/{DATABASE}?host={quote(str(sockets), safe='')}"


def _lock(path: Path) -> IO[bytes]:
    """The exclusive lock, kept until the file is closed; the kernel frees it if we are killed."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise DataDirectoryInUse(
            f"another fleetmem works in {path.parent}: stop it, or choose another --data-dir"
        ) from error
    return file
