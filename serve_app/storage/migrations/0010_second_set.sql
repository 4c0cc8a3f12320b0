-- A second set of vectors, so that a database changes its model while it is searched. Both sets are
-- tables of one name in two schemas, and a transaction enters the one that its model has made: no
-- function that ranks needs to know that there are two.
do $$
begin
  if to_regnamespace('second_set') is null then
    create schema second_set;
  end if;
exception
  when insufficient_privilege then
    raise exception using errcode = 'insufficient_privilege', message = format(
      '%I may not create schemas; let a superuser run: create schema second_set authorization %I',
      current_user, current_user);
end $$;
grant usage on schema second_set to fleetmem_service, fleetmem_maintenance;

-- `name` is the active model, whose vectors lie in `place`. `other` is one whose vectors lie in the
-- other place, in full but for the memories in vectors_owed; null while there is only one set.
alter table embedding_model
  add column place text not null default 'public' check (place in ('public', 'second_set')),
  add column other text check (other <> name),
  add column other_dimension int,
  add check ((other is null) = (other_dimension is null));

create table second_set.memory_vectors (
  memory_id uuid not null,
  ordinal smallint not null,
  tenant_id int not null,
  scope_id int not null,
  span_start int not null,
  span_end int not null,
  kind text not null,
  importance float8 not null,
  occurred_at timestamptz not null,
  active boolean not null,
  embedding halfvec(384) not null,
  primary key (tenant_id, memory_id, ordinal),
  foreign key (tenant_id, memory_id) references memories (tenant_id, id) on delete cascade
);
alter table second_set.memory_vectors alter embedding set storage plain;
create index memory_vectors_ranked on second_set.memory_vectors (scope_id, occurred_at desc)
  include (memory_id, span_start, span_end, kind, importance, embedding, tenant_id) where active;
alter table second_set.memory_vectors set (
  autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05
);
create table second_set.ann_index (
  only_row boolean primary key default true check (only_row),
  kind text not null check (kind in ('ivfflat', 'hnsw')),
  lists int,
  rows_at_build bigint not null,
  built_at timestamptz not null default now()
);
alter table second_set.memory_vectors enable row level security;
alter table second_set.memory_vectors force row level security;
create policy tenant_rows on second_set.memory_vectors
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy every_tenant on second_set.memory_vectors for select to fleetmem_maintenance
  using (true);
grant select, insert, update, delete on second_set.memory_vectors to fleetmem_service;
grant select on second_set.ann_index to fleetmem_service;

-- Memories that have no vectors of the other model yet.
create table vectors_owed (
  tenant_id int not null,
  memory_id uuid not null,
  primary key (tenant_id, memory_id),
  foreign key (tenant_id, memory_id) references memories (tenant_id, id) on delete cascade
);
alter table vectors_owed enable row level security;
alter table vectors_owed force row level security;
create policy tenant_rows on vectors_owed
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy every_tenant on vectors_owed to fleetmem_maintenance using (true) with check (true);
grant select, insert, delete on vectors_owed to fleetmem_service;

-- The change that is under way, if any: one row. `total` is null until all memories are owed.
create table model_change (
  only_row boolean primary key default true check (only_row),
  origin text not null,
  target text not null,
  started_at timestamptz not null default now(),
  total bigint,
  per_second float8,
  error text
);
grant select, update on model_change to fleetmem_maintenance;

-- Let the vectors of this transaction be those of p_model. Raises FM002 where there are none, and
-- where one of p_tenants has a memory that only the active model has vectors of. Hands p_tenants
-- back: what depends on them is read afterwards.
create function enter_model(p_model text, p_tenants int[]) returns int[]
language plpgsql volatile as $$
declare
  v_stamp record;
  v_second boolean := false;
  v_tenant int;
begin
  select m.name, m.place, m.other into v_stamp from embedding_model m;
  if found then
    if v_stamp.name = p_model then
      v_second := v_stamp.place = 'second_set';
    elsif v_stamp.other = p_model then
      v_second := v_stamp.place = 'public';
      foreach v_tenant in array coalesce(p_tenants, '{}') loop
        perform enter_tenant(v_tenant);
        if exists (select from vectors_owed) then
          raise exception using errcode = 'FM002', message = 'vectors of this model are missing';
        end if;
      end loop;
    else
      raise exception using errcode = 'FM002', message = 'no vectors of this model';
    end if;
  end if;
  if v_second then
    perform set_config('search_path', 'second_set, public', true);
  elsif current_setting('search_path') like 'second_set%' then
    perform set_config('search_path', 'public', true);
  end if;
  return p_tenants;
end $$;

-- Begin to write contents of one tenant with their vectors; raises FM002 unless p_model is the
-- active one. Until this transaction ends, no model is switched and no change begins or ends.
create function enter_writing(p_tenant int, p_model text) returns void
language plpgsql volatile as $$
begin
  perform enter_tenant(p_tenant);
  perform pg_advisory_xact_lock_shared(7301771903);
  if exists (select from embedding_model m where m.name is distinct from p_model) then
    raise exception using errcode = 'FM002', message = 'another model is active';
  end if;
  perform enter_model(p_model, null);
end $$;

-- Vectors on their way into either set: a table's own row type would have that table's dimension.
create type given_vector as (
  memory_id uuid, ordinal smallint, tenant_id int, scope_id int, span_start int, span_end int,
  kind text, importance float8, occurred_at timestamptz, active boolean, embedding halfvec
);

drop function add_memories(int, memories[], memory_vectors[]);

-- Store one tenant's memories and their vectors, made by p_model; an id that is there stays as it
-- is. Returns the ids that were not.
create function add_memories(
  p_tenant int, p_model text, p_memories memories[], p_vectors given_vector[]
) returns setof uuid language plpgsql volatile as $$
begin
  perform enter_writing(p_tenant, p_model);
  return query
    with added as (
      insert into memories
      select m.* from unnest(p_memories) m
      -- One order for all: two batches with the same ids wait for each other, never in a circle.
      order by m.id
      on conflict (tenant_id, id) do nothing
      returning id
    ), chunks as (
      insert into memory_vectors
      select v.* from unnest(p_vectors) v join added a on a.id = v.memory_id
    )
    select id from added;
end $$;

-- Triggers, so that no statement that stores or changes a memory can forget a set of vectors.
create function owe_vectors() returns trigger language plpgsql as $$
begin
  if exists (select from embedding_model m where m.other is not null) then
    insert into vectors_owed (tenant_id, memory_id) select a.tenant_id, a.id from added a
    on conflict do nothing;
  end if;
  return null;
end $$;
create trigger memories_owe_vectors after insert on memories
  referencing new table as added for each statement execute function owe_vectors();

-- Whoever changes a content stores its vectors of the active model afterwards.
create function drop_vectors() returns trigger language plpgsql as $$
begin
  delete from public.memory_vectors v where v.tenant_id = new.tenant_id and v.memory_id = new.id;
  delete from second_set.memory_vectors v
    where v.tenant_id = new.tenant_id and v.memory_id = new.id;
  if exists (select from embedding_model m where m.other is not null) then
    insert into vectors_owed (tenant_id, memory_id) values (new.tenant_id, new.id)
    on conflict do nothing;
  end if;
  return null;
end $$;
create trigger memories_drop_vectors after update on memories for each row
  when (old.content is distinct from new.content) execute function drop_vectors();

create function move_vectors() returns trigger language plpgsql as $$
begin
  update public.memory_vectors v
    set kind = new.kind, importance = new.importance, occurred_at = new.occurred_at,
        active = new.status = 'active'
    where v.tenant_id = new.tenant_id and v.memory_id = new.id;
  update second_set.memory_vectors v
    set kind = new.kind, importance = new.importance, occurred_at = new.occurred_at,
        active = new.status = 'active'
    where v.tenant_id = new.tenant_id and v.memory_id = new.id;
  return null;
end $$;
create trigger memories_move_vectors after update on memories for each row
  when (
    (old.kind, old.importance, old.occurred_at, old.status)
    is distinct from (new.kind, new.importance, new.occurred_at, new.status)
  ) execute function move_vectors();

-- Store vectors by p_model that memories of one tenant were owed: p_ids with the p_hashes of the
-- contents that were read, and one element of the other arrays a chunk. What was changed or
-- forgotten meanwhile is passed over. Returns how many are owed none any more.
create function fill_vectors(
  p_tenant int, p_model text, p_ids uuid[], p_hashes bytea[], p_memories uuid[],
  p_ordinals smallint[], p_starts int[], p_ends int[], p_embeddings halfvec[]
) returns int language plpgsql volatile as $$
declare
  v_paid int;
begin
  perform enter_tenant(p_tenant);
  perform pg_advisory_xact_lock_shared(7301771903);
  perform enter_model(p_model, null);
  with unchanged as (
    select m.id, m.scope_id, m.kind, m.importance, m.occurred_at, m.status
    from memories m join unnest(p_ids, p_hashes) g (id, content_hash) using (id, content_hash)
    where m.tenant_id = p_tenant
    order by m.id for share of m
  ), paid as (
    delete from vectors_owed o using unchanged u
    where o.tenant_id = p_tenant and o.memory_id = u.id
    returning u.*
  ), stored as (
    insert into memory_vectors (
      memory_id, ordinal, tenant_id, scope_id, span_start, span_end, kind, importance,
      occurred_at, active, embedding
    )
    select p.id, v.ordinal, p_tenant, p.scope_id, v.span_start, v.span_end, p.kind, p.importance,
           p.occurred_at, p.status = 'active', v.embedding
    from paid p
    join unnest(p_memories, p_ordinals, p_starts, p_ends, p_embeddings)
      v (memory_id, ordinal, span_start, span_end, embedding) on v.memory_id = p.id
    on conflict do nothing
  )
  select count(*) into v_paid from paid;
  return v_paid;
end $$;
