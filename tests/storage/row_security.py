"""What must be true of every table, read from Postgres' own catalogue, and the reasoned exceptions.

A new table without row security fails test_isolation.py: secure it as 0004 does, or, where it
holds nothing of any tenant, name it here with the reason.
"""

from serve_app.storage.roles import Role
from tests.storage.owner import ask

ROLES: tuple[Role, ...] = ("fleetmem_service", "fleetmem_maintenance")

WITHOUT_TENANT = {
    "schema_migrations": "which files were applied; no role but the owner may read it",
    "embedding_model": "one row: which model made all vectors",
    "ann_index": "one row of each set of vectors: which vector index is ready",
    "model_change": "one row: from which model to which, and how far",
    "index_choice": "one row: which vector index an operator asked for",
    "key_epoch": "one row: a number that grows when any key loses something",
}

MORE_POLICIES = {
    "scopes.every_tenant": "maintenance looks for crowded scopes; it may read only",
    "memories.every_tenant": "maintenance looks for crowded scopes; it may read only",
    "memory_vectors.every_tenant": "maintenance looks for large scopes; it may read only",
    "vectors_owed.every_tenant": "maintenance fills vectors for all tenants; no content",
    "memory_versions.every_tenant": "maintenance keeps versions of what it folds",
    "summary_leases.every_tenant": "who folds which scope; no content",
    "idempotency_keys.every_tenant": "maintenance purges what is old",
    "api_keys.asked_keys": "whoever checks a key knows its id before its tenant",
    "api_keys.used_keys": "the time of last use is noted for keys of many tenants at once",
    "tenants.tenants_of_asked_keys": "a checked key tells whether its tenant is suspended",
    "tenants.operator_rows": "an operator makes and suspends tenants",
    "tenant_limits.operator_rows": "the limits of all tenants are read at once; it may read only",
    "ranking_defaults.operator_rows": "the profiles of all tenants are read at once; read only",
    "token_windows.every_tenant": "maintenance deletes windows that are over; counts only",
    "tenant_usage.every_tenant": "maintenance tells how full tenants are; it may read only",
}
"""Beside tenant_rows; each lets more through, so each has its reason."""

_OWN = "(tenant_id = ( SELECT current_tenant() AS current_tenant))"

_TABLES = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f', 'm') and n.nspname !~ '^(pg_|information_schema)'
  and c.relname <> all ($1::text[])
  and not (c.relrowsecurity and c.relforcerowsecurity and exists (
    select from pg_policies p where p.schemaname = n.nspname and p.tablename = c.relname
      and p.policyname = 'tenant_rows'
      and p.cmd = 'ALL' and p.permissive = 'PERMISSIVE' and p.roles = '{public}'
      and p.qual = $2 and p.with_check = $2))"""

_EXCEPTIONS_WITH_TENANT = """
select attrelid::regclass::text from pg_attribute join pg_class c on c.oid = attrelid
where attname = 'tenant_id' and relkind in ('r', 'p') and c.relname = any ($1::text[])"""

_POLICIES = """
select tablename || '.' || policyname from pg_policies
where policyname <> 'tenant_rows' and permissive = 'PERMISSIVE'
  and tablename || '.' || policyname <> all ($1::text[])"""

_FOREIGN_KEYS = """
select conrelid::regclass || '.' || conname from pg_constraint f
where contype = 'f' and not exists (
  select from pg_attribute a
  where a.attrelid = f.conrelid and a.attnum = any (f.conkey) and a.attname = 'tenant_id')"""

_DETOURS = """
select 'view ' || relname from pg_class where relkind = 'v'
  and relnamespace in ('public'::regnamespace, 'second_set'::regnamespace)
  and not coalesce(reloptions::text[] @> '{security_invoker=true}', false)
union all
select 'function ' || proname from pg_proc where prosecdef
  and pronamespace::regnamespace::text in ('public', 'second_set')"""

_POWERS = """
select rolname || ' has power over others' from pg_roles
where rolname = any ($1::text[]) and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)
union all
select r || ' owns ' || relname from unnest($1::text[]) r join pg_class c
  on pg_has_role(r, c.relowner, 'member')
  where c.relnamespace in ('public'::regnamespace, 'second_set'::regnamespace)
union all
select 'the service may act as maintenance'
where pg_has_role('fleetmem_service', 'fleetmem_maintenance', 'member')
union all
select r || ' may truncate ' || relname from unnest($1::text[]) r, pg_class c
where c.relkind in ('r', 'p')
  and c.relnamespace in ('public'::regnamespace, 'second_set'::regnamespace)
  and has_table_privilege(r, c.oid, 'truncate, references, trigger')"""


async def find_faults(dsn: str) -> list[str]:
    """Whatever would let a tenant's rows through; empty where row security holds."""
    exceptions, more, roles = list(WITHOUT_TENANT), list(MORE_POLICIES), list(ROLES)
    return [
        *(f"{n} has no row security" for n in await ask(dsn, _TABLES, exceptions, _OWN)),
        *(f"{n} has tenants" for n in await ask(dsn, _EXCEPTIONS_WITH_TENANT, exceptions)),
        *(f"{n} has no reason" for n in await ask(dsn, _POLICIES, more)),
        *(f"{n} carries no tenant" for n in await ask(dsn, _FOREIGN_KEYS)),
        *(f"{n} acts as its owner" for n in await ask(dsn, _DETOURS)),
        *await ask(dsn, _POWERS, roles),
    ]
