"""`fleetmem tenant limits`: what one tenant may hold, and how fast it may ask."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from serve_app.core.errors import InvalidInput
from serve_app.core.rate_limits import LimitRules, parse_optional
from serve_app.core.usage import OwnLimits, Quota, Usage
from serve_app.key_commands import HERE, DatabaseOption, ask_database

if TYPE_CHECKING:
    from serve_app.storage.connection import Pool

LIMITS_EXAMPLE = (
    "Example: fleetmem tenant limits acme --rate agent_writes=60/minute --memories 1000000"
)
NAMES = ", ".join(LimitRules.__slots__)
NONE = "none"


def limit_tenant(
    name: str,
    rate: Annotated[
        list[str] | None,
        typer.Option(help=f"NAME=N/unit, =unlimited or =default; NAME is {NAMES}. Repeat it."),
    ] = None,
    memories: Annotated[
        str | None, typer.Option(help="Memories it may hold, or none for no quota.")
    ] = None,
    content_bytes: Annotated[
        str | None, typer.Option("--bytes", help="Bytes of content, or none for no quota.")
    ] = None,
    database: DatabaseOption = HERE,
) -> None:
    """Set what is named, within five seconds for a running service; tell what is in force."""
    rates = dict(_read_rate(text) for text in rate or ())

    async def change(pool: "Pool") -> tuple[Usage, OwnLimits]:
        from serve_app.storage.keys import PostgresKeys
        from serve_app.storage.limits import PostgresLimits

        tenant_id = (await PostgresKeys(pool).find_tenant(name)).tenant_id
        limits = PostgresLimits(pool)
        own = await limits.get(tenant_id)
        merged = {**own.rates, **rates}
        quota = Quota(
            _read_quota(memories, own.quota.memories), _read_quota(content_bytes, own.quota.bytes)
        )
        own = replace(own, rates={n: r for n, r in merged.items() if r}, quota=quota)
        await limits.change(tenant_id, own)
        return await limits.usage(tenant_id), own

    usage, own = ask_database(database, change)
    typer.echo(f"memories  {usage.memories:,} of {_tell(own.quota.memories)}")
    typer.echo(f"bytes     {usage.bytes:,} of {_tell(own.quota.bytes)}")
    for limit in LimitRules.__slots__:
        typer.echo(f"{limit:14}  {own.rates.get(limit, 'as the settings say')}")


def _read_rate(text: str) -> tuple[str, str]:
    """A limit's name and its text, which is empty for the settings'; raises InvalidInput."""
    name, _, limit = text.partition("=")
    if name not in LimitRules.__slots__:
        raise InvalidInput(f"there is no limit {name}: take one of {NAMES}", "rate")
    if limit.strip().lower() == "default":
        return name, ""
    try:
        parsed = parse_optional(limit)
    except ValueError as error:
        raise InvalidInput(str(error), "rate") from None
    return name, "unlimited" if parsed is None else str(parsed)


def _read_quota(text: str | None, before: int | None) -> int | None:
    if text is None:
        return before
    if text.strip().lower() == NONE:
        return None
    if not text.replace("_", "").isdecimal():
        raise InvalidInput("a quota is a whole number, or none", "quota")
    return int(text)


def _tell(quota: int | None) -> str:
    return "any number" if quota is None else f"{quota:,}"
