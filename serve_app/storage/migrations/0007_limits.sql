-- The sliding windows of rate limits (core/token_window.py). Nothing is lost that matters when
-- a crash empties them, so they are not logged.
create unlogged table token_windows (
  tenant_id int not null references tenants on delete cascade,
  subject bytea not null,
  first_slot bigint not null,
  counts int[] not null,
  ends_at timestamptz not null,
  primary key (tenant_id, subject)
) with (fillfactor = 50);
alter table token_windows enable row level security;
alter table token_windows force row level security;
create policy tenant_rows on token_windows
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy every_tenant on token_windows to fleetmem_maintenance using (true);
grant select, insert, update on token_windows to fleetmem_service;
grant select, delete on token_windows to fleetmem_maintenance;

-- TokenWindow.lease, told equal by their contract: settle an earlier block, then grant what is free.
create function lease_tokens(
  p_tenant int, p_subject bytea, p_count int, p_seconds float8, p_tokens int[],
  p_settled_slot bigint, p_settled int[], p_idle float8, p_now float8
) returns table (granted int, free int, lifetime float8, slot bigint, wait float8)
language plpgsql as $$
declare
  v_least constant int := p_tokens[1];
  v_due constant int := p_tokens[2];
  v_ahead constant int := p_tokens[3];
  v_spent constant int := p_settled[1];
  v_width constant float8 := p_seconds / 100;
  v_counts int[];
  v_known bigint;
  v_first bigint;
  v_at int;
  v_now float8;
begin
  perform set_config('fleetmem.tenant', p_tenant::text, true);
  loop
    select w.counts, w.first_slot into v_counts, v_known from token_windows w
      where w.tenant_id = p_tenant and w.subject = p_subject for update;
    exit when found;
    insert into token_windows values (p_tenant, p_subject, 0, '{}', now()) on conflict do nothing;
  end loop;
  -- Read when the row is ours: waiting for it takes time.
  v_now := coalesce(p_now, date_part('epoch', clock_timestamp()));
  slot := floor(v_now / v_width);
  v_first := greatest(slot - 100, v_known);
  v_counts := v_counts[least(v_first - v_known, cardinality(v_counts)) + 1:];

  v_at := least(greatest(p_settled_slot - v_first + 1, 0), 1000);
  if v_at between 1 and cardinality(v_counts) and v_counts[v_at] > 0 then
    v_counts[v_at] := greatest(0, v_counts[v_at] - v_spent - p_settled[2]);
    v_at := least(v_at, floor((v_now - p_idle) / v_width) - v_first + 1);
    if v_at >= 1 then
      v_counts[v_at] := v_counts[v_at] + v_spent;
    end if;
  end if;

  free := greatest(0, p_count - (select coalesce(sum(c), 0) from unnest(v_counts) c));
  if free < v_least then
    granted := 0;
    lifetime := 0;
    wait := coalesce((
      select (v_first + t.number + 100) * v_width - v_now from (
        select u.number, sum(u.c) over (order by u.number) as freed
        from unnest(v_counts) with ordinality u (c, number)
      ) t
      where t.freed >= v_least - free order by t.number limit 1), p_seconds);
  else
    granted := least(free, v_due + least(v_ahead, free / 8));
    slot := slot + case when v_ahead > 0 then 12 * free::bigint / p_count else 0 end;
    free := free - granted;
    lifetime := (slot + 1) * v_width - v_now;
    wait := 0;
    v_at := slot - v_first + 1;
    if granted > 0 then
      v_counts := v_counts || array_fill(0, array[greatest(0, v_at - cardinality(v_counts))]);
      v_counts[v_at] := v_counts[v_at] + granted;
    end if;
  end if;
  if granted > 0 or p_settled_slot is not null then
    update token_windows w set first_slot = v_first, counts = v_counts,
      ends_at = now() + make_interval(secs => 2 * p_seconds)
      where w.tenant_id = p_tenant and w.subject = p_subject;
  end if;
  return next;
end $$;

-- What an operator has set for single tenants: rate limits by the names of core/rate_limits.py's
-- LimitRules (as text, or `unlimited`), and quotas; null is no quota.
create table tenant_limits (
  tenant_id int primary key references tenants on delete cascade,
  rates jsonb not null default '{}',
  max_memories bigint check (max_memories >= 0),
  max_bytes bigint check (max_bytes >= 0)
);
alter table tenant_limits enable row level security;
alter table tenant_limits force row level security;
create policy tenant_rows on tenant_limits
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy operator_rows on tenant_limits for select
  using ((select current_setting('fleetmem.operator', true)) = 'on');
grant select, insert, update on tenant_limits to fleetmem_service;

-- The rate limits of all tenants that have their own.
create function limit_overrides() returns table (tenant_id int, rates jsonb)
language plpgsql as $$
begin
  perform set_config('fleetmem.operator', 'on', true);
  return query select t.tenant_id, t.rates from tenant_limits t where t.rates <> '{}';
end $$;

-- What a tenant holds: the sum of its shards. A writer adds to the shard of its connection, so
-- that the writers of one tenant seldom wait for one another.
create table tenant_usage (
  tenant_id int not null references tenants on delete cascade,
  shard smallint not null,
  memories bigint not null,
  bytes bigint not null,
  primary key (tenant_id, shard)
) with (fillfactor = 25);
alter table tenant_usage enable row level security;
alter table tenant_usage force row level security;
create policy tenant_rows on tenant_usage
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy every_tenant on tenant_usage for select to fleetmem_maintenance using (true);
grant select, insert, update on tenant_usage to fleetmem_service;

create function add_usage(p_tenant int, p_memories bigint, p_bytes bigint) returns void
language sql as $$
  insert into tenant_usage as u values (p_tenant, pg_backend_pid() % 16, p_memories, p_bytes)
  on conflict (tenant_id, shard) do update
    set memories = u.memories + excluded.memories, bytes = u.bytes + excluded.bytes
$$;

-- Raises FM001 where a tenant holds more than its quota. Near it the writers of the tenant take
-- turns, each seeing what those before have committed; far from it none waits.
create function require_room(p_tenant int) returns void language plpgsql as $$
declare
  v_memories bigint;
  v_bytes bigint;
  v_left_memories bigint;
  v_left_bytes bigint;
begin
  select t.max_memories, t.max_bytes into v_memories, v_bytes from tenant_limits t
    where t.tenant_id = p_tenant and coalesce(t.max_memories, t.max_bytes) is not null;
  if not found then
    return;
  end if;
  for v_look in 1..2 loop
    select v_memories - sum(u.memories), v_bytes - sum(u.bytes) into v_left_memories, v_left_bytes
      from tenant_usage u where u.tenant_id = p_tenant;
    exit when coalesce(v_left_memories > 10000, true) and coalesce(v_left_bytes > 100000000, true);
    if v_look = 1 then
      perform pg_advisory_xact_lock(730178, p_tenant);
    elsif least(v_left_memories, v_left_bytes) < 0 then
      raise exception using errcode = 'FM001', message = 'over the quota';
    end if;
  end loop;
end $$;

create function count_added() returns trigger language plpgsql as $$
declare
  v_tenant record;
begin
  for v_tenant in
    select a.tenant_id, count(*) as memories, sum(octet_length(a.content)) as bytes,
           bool_or(a.sources = '{}') as are_callers
    from added a group by a.tenant_id order by a.tenant_id
  loop
    perform add_usage(v_tenant.tenant_id, v_tenant.memories, v_tenant.bytes);
    -- A summary is ours: folding goes on in a full house.
    if v_tenant.are_callers then
      perform require_room(v_tenant.tenant_id);
    end if;
  end loop;
  return null;
end $$;
create trigger memories_added after insert on memories
  referencing new table as added for each statement execute function count_added();

create function count_removed() returns trigger language plpgsql as $$
begin
  perform add_usage(r.tenant_id, -count(*), -sum(octet_length(r.content)))
    from removed r group by r.tenant_id order by r.tenant_id;
  return null;
end $$;
create trigger memories_removed after delete on memories
  referencing old table as removed for each statement execute function count_removed();

create function count_rewritten() returns trigger language plpgsql as $$
declare
  v_bytes constant int := octet_length(new.content) - octet_length(old.content);
begin
  perform add_usage(new.tenant_id, 0, v_bytes);
  if v_bytes > 0 then
    perform require_room(new.tenant_id);
  end if;
  return null;
end $$;
create trigger memories_rewritten after update of content on memories
  for each row when (old.content is distinct from new.content) execute function count_rewritten();

-- What is there already; whoever migrates may be held to row security, too.
alter table memories no force row level security;
alter table tenant_usage no force row level security;
insert into tenant_usage
  select tenant_id, 0, count(*), sum(octet_length(content)) from memories group by tenant_id;
alter table memories force row level security;
alter table tenant_usage force row level security;
