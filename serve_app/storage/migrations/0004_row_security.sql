-- Nobody touches the rows of another tenant (docs/adr/0015).

-- Keys and foreign keys carry the tenant; ids are unique within it.
alter table memory_vectors drop constraint memory_vectors_tenant_id_memory_id_fkey;
alter table memory_vectors drop constraint memory_vectors_pkey;
alter table memories drop constraint memories_pkey, drop constraint memories_tenant_id_id_key;
alter table memories add primary key (tenant_id, id);
alter table memory_vectors add primary key (tenant_id, memory_id, ordinal);
alter table memory_vectors add foreign key (tenant_id, memory_id)
  references memories (tenant_id, id) on delete cascade;
drop index memories_by_tenant;
delete from summary_leases;
alter table summary_leases
  drop constraint summary_leases_scope_id_fkey,
  add column tenant_id int not null,
  add foreign key (tenant_id, scope_id) references scopes (tenant_id, scope_id);

-- Row security reads tenant_id of every row: an index answers alone only if it holds it.
drop index memory_vectors_ranked;
create index memory_vectors_ranked on memory_vectors (scope_id, occurred_at desc)
  include (memory_id, span_start, span_end, kind, importance, embedding, tenant_id) where active;
drop index memories_active;
create index memories_active on memories (scope_id) include (tenant_id) where status = 'active';

-- Row security, forced on the owner, too: without a tenant nothing is seen and nothing is stored.
alter table tenants enable row level security;
alter table tenants force row level security;
create policy tenant_rows on tenants
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));

alter table scopes enable row level security;
alter table scopes force row level security;
create policy tenant_rows on scopes
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));

alter table memories enable row level security;
alter table memories force row level security;
create policy tenant_rows on memories
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));

alter table memory_vectors enable row level security;
alter table memory_vectors force row level security;
create policy tenant_rows on memory_vectors
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));

alter table summary_leases enable row level security;
alter table summary_leases force row level security;
create policy tenant_rows on summary_leases
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));

-- Maintenance looks for work in all tenants, and then works within one; a lease holds no content.
create policy every_tenant on scopes for select to fleetmem_maintenance using (true);
create policy every_tenant on memories for select to fleetmem_maintenance using (true);
create policy every_tenant on memory_vectors for select to fleetmem_maintenance using (true);
create policy every_tenant on summary_leases to fleetmem_maintenance using (true) with check (true);

-- What the service is granted, maintenance inherits.
do $$
begin
  if not pg_has_role('fleetmem_maintenance', 'fleetmem_service', 'member') then
    grant fleetmem_service to fleetmem_maintenance;
  end if;
exception
  when unique_violation then
    null;  -- Another database of this server was migrated at the same moment.
  when insufficient_privilege then
    raise exception using errcode = 'insufficient_privilege', message =
      'let a superuser run: grant fleetmem_service to fleetmem_maintenance';
end $$;
grant select, insert on scopes to fleetmem_service;
grant select, insert, update, delete on memories, memory_vectors to fleetmem_service;
grant select on embedding_model, ann_index to fleetmem_service;
grant select, insert, update, delete on summary_leases to fleetmem_maintenance;

-- The tenant, set for this transaction: what a statement reads lateral to it is read afterwards.
create function enter_tenant(p_tenant int) returns int language sql volatile as $$
  select set_config('fleetmem.tenant', p_tenant::text, true)::int
$$;

-- The scopes of one tenant, made where they are missing.
create function add_scopes(p_tenant int, p_agents text[], p_users text[])
returns setof scopes language plpgsql volatile as $$
begin
  perform enter_tenant(p_tenant);
  return query
    with given as (
      select distinct * from unnest(p_agents, p_users) g (agent_id, user_id)
    ), made as (
      insert into scopes (tenant_id, agent_id, user_id)
      select p_tenant, g.* from given g
      where not exists (
        select from scopes s where (s.tenant_id, s.agent_id, s.user_id) = (p_tenant, g.*)
      )
      order by g.agent_id, g.user_id
      on conflict do nothing
      returning *
    )
    select * from made
    union all
    select s.* from scopes s join given g using (agent_id, user_id) where s.tenant_id = p_tenant;
end $$;

-- Store one tenant's memories and their vectors; an id that is there stays as it is. Returns the
-- ids that were not.
create function add_memories(p_tenant int, p_memories memories[], p_vectors memory_vectors[])
returns setof uuid language plpgsql volatile as $$
begin
  perform enter_tenant(p_tenant);
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

drop function search_memories(
  int, text, text, halfvec, int, float8[], float8, timestamptz, text, int
);
-- The true top_k of one scope under the combined score; at least min(top_k, matching) rows. The
-- memories are read here, since only here the tenant of this search is the transaction's.
create function search_memories(
  p_tenant int, p_agent text, p_user text, p_query halfvec, p_top_k int, p_weights float8[],
  p_half_life float8, p_now timestamptz, p_kind text, p_exact_rows int
) returns table (
  similarity float8, span_start int, span_end int, score float8, memory memories
) language plpgsql volatile rows 10
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  v_scope int;
  v_index ann_index;
  v_probes int;
  v_exact bigint := p_exact_rows;
  v_best scored_vector[] := '{}';
begin
  perform set_config('fleetmem.tenant', p_tenant::text, true);
  select s.scope_id into v_scope from scopes s
    where s.tenant_id = p_tenant and s.agent_id = p_agent and s.user_id = p_user;
  if v_scope is null then
    return;
  end if;
  select * into v_index from ann_index;
  if v_index.kind is not null then
    v_probes := least(v_index.lists, greatest(16, ceil(2 * sqrt(v_index.lists))));
    -- The scope itself is read sooner than what an index reads where the scope is no neighbourhood.
    v_exact := greatest(v_exact, case v_index.kind
      -- Whole lists.
      when 'ivfflat' then v_probes * v_index.rows_at_build / v_index.lists
      -- Of each (table / scope) vectors that are walked through, one matches; each costs 40 times
      -- what one costs in a row: (wanted * table / scope) * 40 = scope. Where age or importance
      -- count, too, the nearest prove nothing until they are many.
      else sqrt(40.0 * greatest(64, 8 * p_top_k) * v_index.rows_at_build
                * case when p_weights[2] > 0 or p_weights[3] > 0 then 16 else 1 end) end);
    -- What matches counts, not what the scope holds: an index finds a rare kind late, if at all.
    perform 1 from memory_vectors v
      where v.scope_id = v_scope and v.active and (p_kind is null or v.kind = p_kind)
      offset v_exact limit 1;
    if found then
      perform set_config('ivfflat.probes', v_probes::text, true);
      v_best := array(select r from rank_by_lists(
        v_scope, p_query, p_top_k, p_weights, p_half_life, p_now, p_kind) r);
    end if;
  end if;
  if v_best = '{}' then
    v_best := array(select r from rank_in_full(
      v_scope, p_query, p_top_k, p_weights, p_half_life, p_now, p_kind) r);
  end if;
  return query select b.similarity, b.span_start, b.span_end, b.score, found.memory
    from unnest(v_best) b
    -- `offset 0` keeps the planner from joining the whole table.
    cross join lateral (
      select m as memory from memories m
      where m.tenant_id = p_tenant and m.id = b.memory_id offset 0
    ) found;
end $$;
