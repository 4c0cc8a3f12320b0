import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

import serve_app
from serve_app.core.errors import ConfigurationError, DataDirectoryInUse
from serve_app.local.postgres import EmbeddedPostgres

PACKAGE = Path(serve_app.__file__).parent
WHEELS = Path(asyncpg.__file__).parent.parent

START_AND_WAIT = """
import sys
from pathlib import Path
from serve_app.local.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1])).start()
print(server.dsn, server.pid, flush=True)
sys.stdin.read()
server.stop()
"""


async def ask(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def start_in_child(
    directory: Path, *, code: Path = PACKAGE.parent, account: str | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [interpreter_for(account), "-c", START_AND_WAIT, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        user=account,
        group=pwd.getpwnam(account).pw_gid if account else None,
        extra_groups=[] if account else None,
        cwd="/",
        env={"PYTHONPATH": os.pathsep.join([str(code), str(WHEELS)])},
    )


def await_end(pid: int) -> None:
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the server outlived its parent"
        time.sleep(0.02)


def await_exit(server: EmbeddedPostgres) -> int:
    deadline = time.monotonic() + 30
    while (status := server.poll()) is None:
        assert time.monotonic() < deadline, "the server survived SIGKILL"
        time.sleep(0.02)
    return status


def interpreter_for(account: str | None) -> str:
    """One that this account may run: a virtual environment below /root is closed to it."""
    for python in (sys.executable, "/usr/bin/python3"):
        command = ["/bin/sh", "-c", f"{python} -c 'import tomllib'"]
        tried = subprocess.run(command, user=account, cwd="/", check=False, capture_output=True)
        if tried.returncode == 0:
            return python
    pytest.skip("every interpreter of 3.11 or later is closed to other users")


async def test_a_restart_finds_the_rows_again(open_directory: Path) -> None:
    server = EmbeddedPostgres(open_directory / "data").start()
    await ask(server.dsn, "create table kept as select 7 as n")
    server.stop()
    assert server.pid is None
    server.start()
    try:
        assert await ask(server.dsn, "select n from kept") == 7
    finally:
        server.stop()


async def test_it_is_safe_and_listens_nowhere_but_on_its_socket(open_directory: Path) -> None:
    server = EmbeddedPostgres(open_directory / "data").start()
    try:
        assert await ask(server.dsn, "show fsync") == "on"
        assert await ask(server.dsn, "show listen_addresses") == ""
        sockets = str(await ask(server.dsn, "show unix_socket_directories"))
        assert os.stat(sockets).st_mode & 0o777 == 0o700  # noqa: PTH116 - no I/O that waits
    finally:
        server.stop()


async def test_a_killed_server_comes_back_at_the_same_address(open_directory: Path) -> None:
    server = EmbeddedPostgres(open_directory / "data").start()
    try:
        dsn = server.dsn
        assert server.restart_if_dead() is False
        await ask(dsn, "create table kept as select generate_series(1, 1000) as n")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert await_exit(server) == -signal.SIGKILL
        assert server.restart_if_dead() is True
        assert server.dsn == dsn
        assert await ask(dsn, "select count(*) from kept") == 1000
    finally:
        server.stop()


async def test_the_server_ends_with_its_killed_parent(open_directory: Path) -> None:
    with start_in_child(open_directory / "data") as parent:
        assert parent.stdout is not None
        dsn, pid = parent.stdout.readline().split()
        await ask(dsn, "create table kept as select 7 as n")
        parent.kill()
        parent.wait()
        server = EmbeddedPostgres(open_directory / "data").start()
    try:
        await_end(int(pid))
        assert await ask(server.dsn, "select n from kept") == 7
    finally:
        server.stop()


def test_a_second_owner_is_refused(open_directory: Path) -> None:
    server = EmbeddedPostgres(open_directory / "data").start()
    try:
        with start_in_child(open_directory / "data") as other:
            assert "DataDirectoryInUse" in other.communicate()[1]
        with pytest.raises(DataDirectoryInUse, match="--data-dir"):
            EmbeddedPostgres(open_directory / "data").start()
        assert server.poll() is None
    finally:
        server.stop()


async def test_a_long_path_gets_its_socket_elsewhere(open_directory: Path) -> None:
    server = EmbeddedPostgres(open_directory / ("long" * 20) / ("path" * 20)).start()
    try:
        sockets = str(await ask(server.dsn, "show unix_socket_directories"))
        assert len(sockets) < 80
    finally:
        server.stop()
    assert not os.path.exists(sockets)  # noqa: ASYNC240, PTH110 - no I/O that waits


def test_a_stale_pid_file_does_not_stop_a_start(open_directory: Path) -> None:
    EmbeddedPostgres(open_directory / "data").start().stop()
    stale = open_directory / "data" / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n/elsewhere\n1\n5432\n\n\n1 1\nready\n")
    server = EmbeddedPostgres(open_directory / "data").start()
    assert server.poll() is None
    server.stop()


def test_a_broken_cluster_is_named_with_the_servers_words(open_directory: Path) -> None:
    EmbeddedPostgres(open_directory / "data").start().stop()
    (open_directory / "data" / "postgres" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(ConfigurationError, match=r"9\.6"):
        EmbeddedPostgres(open_directory / "data").start()


def test_a_half_made_cluster_is_made_anew(open_directory: Path) -> None:
    leftover = open_directory / "data" / "unfinished-killed"
    leftover.mkdir(parents=True)
    (leftover / "PG_VERSION").write_text("18\n")
    (open_directory / "data").chmod(0o711)
    EmbeddedPostgres(open_directory / "data").start().stop()
    assert not leftover.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_runs_it_too(open_directory: Path) -> None:
    shutil.copytree(PACKAGE, open_directory / "code" / "serve_app")
    (open_directory / "code").chmod(0o755)
    directory = open_directory / "data"
    directory.mkdir()
    shutil.chown(directory, "nobody")
    with start_in_child(directory, code=open_directory / "code", account="nobody") as child:
        answer, complaint = child.communicate()
    assert child.returncode == 0, complaint
    assert answer.startswith("postgresql://")
    assert (directory / "postgres").stat().st_uid == pwd.getpwnam("nobody").pw_uid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_root_is_told_when_the_account_cannot_enter(open_directory: Path) -> None:
    open_directory.chmod(0o700)
    with pytest.raises(ConfigurationError, match="cannot enter"):
        EmbeddedPostgres(open_directory / "data").start()
