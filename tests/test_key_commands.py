"""`fleetmem tenant` and `fleetmem key`, on a real database."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from serve_app.cli import app
from serve_app.core.errors import (
    FleetmemError,
    InvalidInput,
    KeyNotFound,
    NameTaken,
    TenantNotFound,
)
from serve_app.core.keys import digest_key, find_key_id
from serve_app.core.principal import SCOPES
from serve_app.local.postgres import EmbeddedPostgres, find_running

MEMNEX = "mx_live_kAb12Cd34_" + "s" * 43
WIDE = {"COLUMNS": "200"}


def fleetmem(database: str, *arguments: str, stdin: str | None = None) -> Result:
    """One command that succeeds."""
    command = [*arguments, "--database-url", database]
    result = CliRunner().invoke(app, command, input=stdin, env=WIDE)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def refuse(database: str, *arguments: str, stdin: str | None = None) -> FleetmemError:
    """The error of one command, as `main` would print it."""
    command = [*arguments, "--database-url", database]
    result = CliRunner().invoke(app, command, input=stdin, env=WIDE)
    assert isinstance(result.exception, FleetmemError), result.output
    return result.exception


def rows(dsn: str) -> list[asyncpg.Record]:
    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetch("select * from api_keys order by created_at")
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_two_commands_make_a_tenant_and_its_key(fresh_dsn: str) -> None:
    made = fleetmem(fresh_dsn, "tenant", "create", "acme")
    assert "fleetmem key create --tenant acme" in made.stderr
    created = fleetmem(fresh_dsn, "key", "create", "--tenant", "acme", "--label", "bot")
    text = created.stdout.strip()
    [row] = rows(fresh_dsn)
    assert (row["key_id"], row["digest"]) == (find_key_id(text), digest_key(text))
    assert (row["label"], row["scopes"]) == ("bot", ["memory:read", "memory:write"])
    assert "first key" in created.stderr
    assert text not in created.stderr
    assert text[-43:] not in str(dict(row))
    again = fleetmem(fresh_dsn, "key", "create", "--days", "7")
    assert "first key" not in again.stderr
    assert "bot" in fleetmem(fresh_dsn, "key", "list", "--tenant", "acme").stdout
    assert "bot" not in fleetmem(fresh_dsn, "key", "list").stdout


def test_the_operators_key_may_do_everything(fresh_dsn: str) -> None:
    fleetmem(fresh_dsn, "key", "create", "--operator")
    [row] = rows(fresh_dsn)
    assert (row["tenant_id"], set(row["scopes"])) == (1, SCOPES)


def test_scopes_are_chosen_one_by_one(fresh_dsn: str) -> None:
    fleetmem(fresh_dsn, "key", "create", "--scope", "memory:read", "--scope", "audit:read")
    assert rows(fresh_dsn)[0]["scopes"] == ["audit:read", "memory:read"]
    assert isinstance(refuse(fresh_dsn, "key", "create", "--scope", "all"), InvalidInput)


def test_a_key_is_rotated_and_revoked(fresh_dsn: str) -> None:
    old = find_key_id(fleetmem(fresh_dsn, "key", "create").stdout.strip()) or ""
    rotated = fleetmem(fresh_dsn, "key", "rotate", old, "--grace-minutes", "5")
    new = find_key_id(rotated.stdout.strip())
    before, after = rows(fresh_dsn)
    assert (before["key_id"], after["key_id"]) == (old, new)
    assert before["expires_at"] is not None
    assert after["expires_at"] is None
    fleetmem(fresh_dsn, "key", "revoke", old)
    assert rows(fresh_dsn)[0]["revoked_at"] is not None
    assert "revoked" in fleetmem(fresh_dsn, "key", "list").stdout
    assert isinstance(refuse(fresh_dsn, "key", "rotate", old), InvalidInput)
    assert isinstance(refuse(fresh_dsn, "key", "revoke", "0" * 16), KeyNotFound)


def test_a_key_of_memnex_is_imported_and_never_shown(fresh_dsn: str) -> None:
    imported = fleetmem(fresh_dsn, "key", "import", "--label", "old", stdin=f"{MEMNEX}\n")
    assert MEMNEX not in imported.output
    assert rows(fresh_dsn)[0]["digest"] == digest_key(MEMNEX)
    assert isinstance(refuse(fresh_dsn, "key", "import", stdin=MEMNEX), NameTaken)
    refused = refuse(fresh_dsn, "key", "import", stdin="hunter2")
    assert "hunter2" not in refused.message


def test_a_tenant_is_suspended_and_resumed(fresh_dsn: str) -> None:
    fleetmem(fresh_dsn, "tenant", "create", "acme")
    for command, status in (("suspend", "suspended"), ("resume", "active")):
        fleetmem(fresh_dsn, "tenant", command, "acme")
        listed = fleetmem(fresh_dsn, "tenant", "list").stdout
        assert [line.split()[1] for line in listed.splitlines()[1:]] == ["active", status]


@pytest.mark.parametrize("command", [("tenant", "suspend"), ("key", "list", "--tenant")])
def test_an_unknown_tenant_is_named(fresh_dsn: str, command: tuple[str, ...]) -> None:
    refused = refuse(fresh_dsn, *command, "nobody")
    assert isinstance(refused, TenantNotFound)
    assert "nobody" in refused.message


def test_the_embedded_database_is_found_running_and_started_otherwise(
    open_directory: Path,
) -> None:
    data = open_directory / "data"
    assert find_running(data) is None
    first = fleetmem(str(data), "key", "create", "--operator")
    assert "Starting Postgres" in first.stderr
    assert find_running(data) is None
    with_service = EmbeddedPostgres(data).start()
    try:
        assert find_running(data) == with_service.dsn
        second = fleetmem(str(data), "key", "create")
        assert "Starting Postgres" not in second.stderr
        assert len(rows(with_service.dsn)) == 2
    finally:
        with_service.stop()
    assert find_running(data) is None
