"""`fleetmem tenant` and `fleetmem key`: they speak to the database, so they work without a service.

A new key is the only thing on standard output, once; everything else is on standard error.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serve_app.core.keys import ApiKey, IssuedKey, KeyDraft
from serve_app.core.principal import MEMORY_READ, MEMORY_WRITE, SCOPES, Principal
from serve_app.local.postgres_binaries import default_data_directory
from serve_app.operations.registry import Registry

if TYPE_CHECKING:
    from serve_app.storage.connection import Pool

T = TypeVar("T")

tenants = typer.Typer(help="Tenants: whose memories and keys they are.", no_args_is_help=True)
keys = typer.Typer(help="Keys: who may come in, and do what.", no_args_is_help=True)
console = Console(stderr=True, highlight=False)

USUAL = frozenset({MEMORY_READ, MEMORY_WRITE})
HERE = str(default_data_directory())

DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database-url",
        "--data-dir",
        envvar="FLEETMEM_DATABASE_URL",
        show_envvar=True,
        help="Address of a Postgres, or the --data-dir of `fleetmem up`, running or not.",
    ),
]
TenantOption = Annotated[str, typer.Option("--tenant", help="Name of the tenant.")]
ScopeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        help=f"Repeat it: {', '.join(sorted(SCOPES))}. Default: memory:read and memory:write.",
        show_default=False,
    ),
]
LabelOption = Annotated[str, typer.Option("--label", help="What the key is for.")]


@tenants.command("create", epilog="Example: fleetmem tenant create acme")
def create_tenant(name: str, database: DatabaseOption = HERE) -> None:
    """Make a tenant."""
    _ask(database, lambda registry: registry.create_tenant(name))
    _say(f"Made the tenant {name}; now let somebody in: fleetmem key create --tenant {name}")


@tenants.command("list", epilog="Example: fleetmem tenant list")
def list_tenants(database: DatabaseOption = HERE) -> None:
    """All tenants."""
    found = _ask(database, lambda registry: registry.list_tenants())
    rows = [(t.name, "suspended" if t.suspended else "active", _day(t.created_at)) for t in found]
    _show(("tenant", "status", "created"), rows)


@tenants.command("suspend", epilog="Example: fleetmem tenant suspend acme")
def suspend_tenant(name: str, database: DatabaseOption = HERE) -> None:
    """Answer a tenant's keys with 403, within two seconds; its memories are kept."""
    _ask(database, lambda registry: registry.set_suspended(name, True))
    _say(f"Suspended {name}; let it in again: fleetmem tenant resume {name}")


@tenants.command("resume", epilog="Example: fleetmem tenant resume acme")
def resume_tenant(name: str, database: DatabaseOption = HERE) -> None:
    """Let a suspended tenant in again."""
    _ask(database, lambda registry: registry.set_suspended(name, False))
    _say(f"Resumed {name}")


@keys.command("create", epilog="Example: fleetmem key create --tenant acme --label 'support bot'")
def create_key(
    tenant: TenantOption = "default",
    scope: ScopeOption = None,
    label: LabelOption = "",
    days: Annotated[
        int | None,
        typer.Option(min=1, max=36_500, help="Until it expires.", show_default="never"),
    ] = None,
    operator: Annotated[
        bool, typer.Option("--operator", help="Give it every scope: it makes tenants and keys.")
    ] = False,
    database: DatabaseOption = HERE,
) -> None:
    """Make a key and print it, once."""
    scopes = SCOPES if operator else frozenset(scope or USUAL)
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)

    async def make(registry: Registry) -> tuple[IssuedKey, bool]:
        tenant_id = (await registry.find_tenant(tenant)).tenant_id
        is_first = not (await registry.keys.find([])).any_made
        return await registry.issue(KeyDraft(tenant_id, scopes, label, expires_at)), is_first

    _hand_over(*_ask(database, make))


@keys.command("list", epilog="Example: fleetmem key list --tenant acme")
def list_keys(tenant: TenantOption = "default", database: DatabaseOption = HERE) -> None:
    """A tenant's keys, without their secrets, which nobody has."""

    async def find(registry: Registry) -> list[ApiKey]:
        return await registry.list_keys((await registry.find_tenant(tenant)).tenant_id)

    heads = ("key", "label", "scopes", "created", "ends", "last used")
    _show(heads, [_describe(key) for key in _ask(database, find)])


@keys.command("revoke", epilog="Example: fleetmem key revoke 8f14e45fceea167a --tenant acme")
def revoke_key(
    key_id: str, tenant: TenantOption = "default", database: DatabaseOption = HERE
) -> None:
    """End a key for good; every replica refuses it within two seconds."""

    async def revoke(registry: Registry) -> None:
        await registry.revoke((await registry.find_tenant(tenant)).tenant_id, key_id)

    _ask(database, revoke)
    _say(f"Revoked {key_id}")


@keys.command("rotate", epilog="Example: fleetmem key rotate 8f14e45fceea167a --grace-minutes 10")
def rotate_key(
    key_id: str,
    tenant: TenantOption = "default",
    grace_minutes: Annotated[
        int, typer.Option(min=0, max=43_200, help="How long the old key lives on beside the new.")
    ] = 60,
    database: DatabaseOption = HERE,
) -> None:
    """Print a new key with the same scopes, once; the old one ends after the grace."""

    async def rotate(registry: Registry) -> IssuedKey:
        tenant_id = (await registry.find_tenant(tenant)).tenant_id
        owner = Principal(tenant_id, None, SCOPES)
        return await registry.rotate(owner, key_id, timedelta(minutes=grace_minutes))

    _hand_over(_ask(database, rotate))
    _say(f"{key_id} ends in {grace_minutes} minutes")


@keys.command("import", epilog="Example: fleetmem key import --tenant acme < memnex.key")
def import_key(
    tenant: TenantOption = "default",
    scope: ScopeOption = None,
    label: LabelOption = "",
    database: DatabaseOption = HERE,
) -> None:
    """Take on a key that clients have already, ours or memnex's; it is read from standard input."""
    text = (
        typer.prompt("Key", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    )
    scopes = frozenset(scope or USUAL)

    async def adopt(registry: Registry) -> IssuedKey:
        tenant_id = (await registry.find_tenant(tenant)).tenant_id
        return await registry.adopt(KeyDraft(tenant_id, scopes, label), text.strip())

    issued = _ask(database, adopt)
    _say(f"{issued.key.key_id} of {tenant} may {', '.join(sorted(scopes))}")


def ask_database(database: str, verb: Callable[["Pool"], Awaitable[T]]) -> T:
    """What `verb` gives, called with a pool of that database, or of the one in that directory."""
    from serve_app.local.database import reach_database

    is_address = database.startswith(("postgres://", "postgresql://"))
    directory = Path(HERE if is_address or not database else database).expanduser().absolute()
    with reach_database(database if is_address else None, directory, _say) as dsn:
        return asyncio.run(_with_pool(dsn, verb))


def _ask(database: str, verb: Callable[[Registry], Awaitable[T]]) -> T:
    """What `verb` gives, called with the registry of that database."""

    async def ask(pool: "Pool") -> T:
        from serve_app.storage.keys import PostgresKeys

        return await verb(Registry(PostgresKeys(pool), lambda: datetime.now(UTC), os.urandom))

    return ask_database(database, ask)


async def _with_pool(dsn: str, verb: Callable[["Pool"], Awaitable[T]]) -> T:
    from serve_app.settings import load_settings
    from serve_app.storage.connection import open_pool

    settings = load_settings(database_url=SecretStr(dsn), db_min_pool_size=1, db_max_pool_size=1)
    pool = await open_pool(settings)
    try:
        return await verb(pool)
    finally:
        await pool.close()


def _hand_over(issued: IssuedKey, is_first: bool = False) -> None:
    typer.echo(issued.text)
    _say("Keep it now: it is shown this once, and only its digest is stored")
    _say(f"It may {', '.join(sorted(issued.key.scopes))}; send it as Authorization: Bearer <key>")
    if is_first:
        _say("It is the first key: a running service asks everybody for one within two seconds")


def _describe(key: ApiKey) -> tuple[str, ...]:
    ends = "revoked " + _day(key.revoked_at) if key.revoked_at else _day(key.expires_at)
    scopes = " ".join(sorted(key.scopes))
    return key.key_id, key.label, scopes, _day(key.created_at), ends, _day(key.last_used_at)


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else moment.strftime("%Y-%m-%d %H:%M")


def _show(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(*heads, box=None)
    for row in rows:
        table.add_row(*map(escape, row))
    Console(highlight=False).print(table)


def _say(line: str) -> None:
    console.print(f"[dim]fleetmem:[/] {escape(line)}", soft_wrap=True)
