-- Tenants that can be suspended, and the keys that they hold.
alter table tenants
  add column status text not null default 'active' check (status in ('active', 'suspended')),
  add column created_at timestamptz not null default now();

-- Of a key's text only the digest is kept. Row security: tenant_rows for those who administer keys,
-- and beside it asked_keys, since whoever checks a key knows its id before its tenant.
create table api_keys (
  key_id text primary key,
  tenant_id int not null references tenants,
  digest bytea not null check (length(digest) = 32),
  label text not null,
  scopes text[] not null check (scopes <> '{}'),
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);
create index api_keys_by_tenant on api_keys (tenant_id, created_at, key_id);

-- The key ids that this transaction has named.
create function asked_keys() returns text[] language sql stable as $$
  select string_to_array(current_setting('fleetmem.key_ids', true), ',')
$$;

alter table api_keys enable row level security;
alter table api_keys force row level security;
create policy tenant_rows on api_keys
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy asked_keys on api_keys for select using (key_id = any ((select asked_keys())::text[]));
create policy used_keys on api_keys for update
  using (key_id = any ((select asked_keys())::text[]))
  with check (key_id = any ((select asked_keys())::text[]));

-- Who checks a key must learn whether its tenant is suspended; an operator sees all tenants.
create policy tenants_of_asked_keys on tenants for select using (
  exists (select from api_keys k where k.tenant_id = tenants.tenant_id
          and k.key_id = any ((select asked_keys())::text[]))
);
create policy operator_rows on tenants
  using ((select current_setting('fleetmem.operator', true)) = 'on')
  with check ((select current_setting('fleetmem.operator', true)) = 'on');

-- One row. `value` grows whenever a key or a tenant loses something, so that whoever remembers
-- keys learns with one look that none of them changed; `any_made` is never taken back.
create table key_epoch (
  only_row boolean primary key default true check (only_row),
  value bigint not null,
  any_made boolean not null
);
insert into key_epoch (value, any_made) values (0, false);

create function advance_key_epoch() returns trigger language plpgsql as $$
begin
  update key_epoch set value = value + 1;
  return null;
end $$;
create trigger keys_lose after update of digest, scopes, expires_at, revoked_at or delete
  on api_keys for each statement execute function advance_key_epoch();
create trigger tenants_lose after update of status or delete
  on tenants for each statement execute function advance_key_epoch();

create function note_first_key() returns trigger language plpgsql as $$
begin
  update key_epoch set any_made = true where not any_made;
  return null;
end $$;
create trigger keys_made after insert
  on api_keys for each statement execute function note_first_key();

-- The keys of these ids, of any tenant, with the epoch of the same moment; at least one row.
create function find_keys(p_ids text[])
returns table (
  epoch bigint, any_made boolean, key_id text, tenant_id int, digest bytea, scopes text[],
  expires_at timestamptz, revoked boolean, suspended boolean
)
language plpgsql as $$
begin
  perform set_config('fleetmem.key_ids', array_to_string(p_ids, ','), true);
  return query
    select e.value, e.any_made, k.key_id, k.tenant_id, k.digest, k.scopes, k.expires_at,
           k.revoked_at is not null, t.status = 'suspended'
    from key_epoch e
    left join (api_keys k join tenants t on t.tenant_id = k.tenant_id) on k.key_id = any (p_ids);
end $$;

-- No statement of the service can change whose key it is, what proves it, or what it may do.
grant select, insert on api_keys to fleetmem_service;
grant update (expires_at, revoked_at, last_used_at) on api_keys to fleetmem_service;
grant select, update on key_epoch to fleetmem_service;
grant select, insert on tenants to fleetmem_service;
grant update (status) on tenants to fleetmem_service;
