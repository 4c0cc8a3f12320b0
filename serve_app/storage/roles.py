"""The database's roles: whom row security holds, and what to do where it would not."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

import asyncpg

from serve_app.core.errors import ConfigurationError

Role = Literal["fleetmem_service", "fleetmem_maintenance"]

MIGRATE = "run `fleetmem migrate`"

_STANDING = """
select current_user as name, r.rolsuper, r.rolbypassrls,
  coalesce((select c.relforcerowsecurity from pg_class c where c.oid = to_regclass('memories')),
           false) as secured,
  exists (
    select from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relkind in ('r', 'p') and a.attname = 'tenant_id'
      and c.relnamespace = current_schema()::regnamespace
      and pg_has_role(current_user, c.relowner, 'member')
  ) as owns
from pg_roles r where r.rolname = current_user"""


async def require_row_security(connection: asyncpg.Connection, role: Role) -> None:
    """Raise ConfigurationError where the connection does not act as `role`, or is not held."""
    standing = await connection.fetchrow(_STANDING)
    assert standing is not None  # every session has a role
    if not standing["secured"]:
        raise ConfigurationError(f"the database has no row security yet: {MIGRATE}")
    if standing["name"] != role:
        raise ConfigurationError(
            f"connections act as {standing['name']}, not as {role}: something on the way, such as "
            "PgBouncer, drops the setting `role`; connect to Postgres itself"
        )
    reason = (
        "is a superuser"
        if standing["rolsuper"]
        else "has BYPASSRLS"
        if standing["rolbypassrls"]
        else "owns tables of tenants"
        if standing["owns"]
        else None
    )
    if reason is not None:
        raise ConfigurationError(
            f"the service would run as {standing['name']}, who {reason}, so that row security "
            "would not hold: take that from the role, and leave the tables to another"
        )


async def require_overview(connection: asyncpg.Connection) -> None:
    """Raise ConfigurationError where whoever owns the tables could not see what they hold."""
    sees = await connection.fetchval(
        "select rolsuper or rolbypassrls or pg_has_role(rolname, 'fleetmem_maintenance', 'usage') "
        "from pg_roles where rolname = current_user"
    )
    if not sees:
        raise ConfigurationError(
            "the database's owner does not see its rows, since row security is forced: let a "
            "superuser run `grant fleetmem_service, fleetmem_maintenance to` it"
        )


async def owns_tables(connection: asyncpg.Connection) -> bool:
    """Whether the connection's role may build indexes."""
    owns = await connection.fetchval(
        "select pg_has_role(current_user, relowner, 'usage') from pg_class "
        "where oid = 'memory_vectors'::regclass"
    )
    return owns is True


@asynccontextmanager
async def explained_refusals(role: Role) -> AsyncGenerator[None]:
    """Turn a server's refusal to let the database's user act as `role` into what to do."""
    try:
        yield
    except asyncpg.InvalidParameterValueError as error:
        raise ConfigurationError(f"the database has no role {role} yet: {MIGRATE}") from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise ConfigurationError(
            f"the user of FLEETMEM_DATABASE_URL may not act as {role}: let the database's owner "
            f"run `grant {role} to` that user"
        ) from error
