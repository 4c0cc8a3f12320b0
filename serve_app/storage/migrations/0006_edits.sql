-- Versions of memories, what was done under idempotency keys, and a look-up by content.

alter table memories add column version int not null default 1;
create index memories_by_content on memories (scope_id, content_hash);

-- What a memory was until `valid_to`. A null content is that of the next version that has one, or
-- else the memory's own: only a change of the text costs a copy of it.
create table memory_versions (
  memory_id uuid not null,
  version int not null,
  tenant_id int not null,
  content text,
  kind text not null,
  importance float8 not null,
  occurred_at timestamptz not null,
  updated_at timestamptz not null,
  status text not null,
  superseded_by uuid,
  valid_to timestamptz not null,
  primary key (tenant_id, memory_id, version),
  foreign key (tenant_id, memory_id) references memories (tenant_id, id) on delete cascade
);

create function keep_version() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  insert into memory_versions (
    memory_id, version, tenant_id, content, kind, importance, occurred_at, updated_at, status,
    superseded_by, valid_to
  ) values (
    old.id, old.version, old.tenant_id,
    case when new.content <> old.content then old.content end, old.kind, old.importance,
    old.occurred_at, old.updated_at, old.status, old.superseded_by,
    case when new.updated_at > old.updated_at then new.updated_at else clock_timestamp() end
  );
  return new;
end $$;
-- A trigger, so that no statement that changes a memory can forget it.
create trigger memories_keep_version before update on memories for each row
when (
  (old.content, old.kind, old.importance, old.occurred_at, old.updated_at, old.status,
   old.superseded_by)
  is distinct from
  (new.content, new.kind, new.importance, new.occurred_at, new.updated_at, new.status,
   new.superseded_by)
) execute function keep_version();

-- Every version of every memory, the present one with a null `valid_to`.
create view memory_states with (security_invoker = true) as
select m.tenant_id, m.id, m.version, m.content, m.kind, m.importance, m.occurred_at, m.updated_at,
       m.status, m.superseded_by, null::timestamptz as valid_to
from memories m
union all
select v.tenant_id, v.memory_id, v.version,
       coalesce(v.content, (
         select n.content from memory_versions n
         where (n.tenant_id, n.memory_id) = (v.tenant_id, v.memory_id) and n.version > v.version
           and n.content is not null
         order by n.version limit 1
       ), (select m.content from memories m where (m.tenant_id, m.id) = (v.tenant_id, v.memory_id))),
       v.kind, v.importance, v.occurred_at, v.updated_at, v.status, v.superseded_by, v.valid_to
from memory_versions v;

-- What was done under a caller's key. `outcomes` names memories by id and version: a content that
-- is forgotten is in no answer that was kept.
create table idempotency_keys (
  tenant_id int not null references tenants,
  key text not null check (char_length(key) between 1 and 255),
  digest bytea not null,
  outcomes jsonb not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);

-- What is kept under a key: 'same' or 'other' (request) with its outcomes, or no row. With
-- `p_claim` the key is the transaction's own until its end, or 'running' tells whose it is not.
create function find_key(p_tenant int, p_key text, p_digest bytea, p_claim boolean)
returns table (state text, outcomes jsonb) language plpgsql volatile as $$
begin
  perform set_config('fleetmem.tenant', p_tenant::text, true);
  if p_claim and not pg_try_advisory_xact_lock(hashtextextended(p_key, p_tenant)) then
    return query select 'running', null::jsonb;
  else
    return query select case when k.digest = p_digest then 'same' else 'other' end, k.outcomes
      from idempotency_keys k where k.tenant_id = p_tenant and k.key = p_key;
  end if;
end $$;

alter table memory_versions enable row level security;
alter table memory_versions force row level security;
create policy tenant_rows on memory_versions using (tenant_id = (select current_tenant()))
  with check (tenant_id = (select current_tenant()));
create policy every_tenant on memory_versions to fleetmem_maintenance
  using (true) with check (true);
alter table idempotency_keys enable row level security;
alter table idempotency_keys force row level security;
create policy tenant_rows on idempotency_keys using (tenant_id = (select current_tenant()))
  with check (tenant_id = (select current_tenant()));
create policy every_tenant on idempotency_keys to fleetmem_maintenance
  using (true) with check (true);
grant select, insert on memory_versions to fleetmem_service, fleetmem_maintenance;
grant select on memory_states to fleetmem_service;
grant select, insert, update on idempotency_keys to fleetmem_service;
grant select, delete on idempotency_keys to fleetmem_maintenance;
