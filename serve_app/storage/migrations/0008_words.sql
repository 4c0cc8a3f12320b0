-- Words, sessions, and the pools that fused searches rank (core/fusion.py).

-- The text search configuration of a scope, which says what a word is. As text: a regconfig would
-- keep the server from being upgraded in place.
alter table scopes add language text not null
  default coalesce(nullif(current_setting('fleetmem.language', true), ''), 'english');

-- '' stands for no session.
alter table memories add session_id text collate "C" not null default '';
create index memories_in_session on memories (scope_id, session_id, occurred_at, id)
  include (kind, importance, tenant_id) where status = 'active';

-- The words of every active memory, so that a scope's statistics are its own. Each memory has one
-- row more, of the word '': counting those counts the memories and their length.
create table memory_words (
  tenant_id int not null,
  scope_id int not null,
  lexeme text collate "C" not null,
  memory_id uuid not null,
  frequency smallint not null,
  length int not null,
  primary key (scope_id, lexeme, memory_id) include (frequency, length, tenant_id)
);
create index memory_words_of_memory on memory_words (tenant_id, memory_id);
alter table memory_words set (
  autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05
);

create function count_words(p_language text, p_content text)
returns table (lexeme text, frequency smallint, length int)
language sql stable parallel safe as $$
  with counted as materialized (
    select w.lexeme, cardinality(w.positions)::smallint as frequency
    from unnest(to_tsvector(p_language::regconfig, p_content)) w
  ), whole as (
    select coalesce(sum(c.frequency), 0)::int as length from counted c
  )
  select c.lexeme, c.frequency, w.length from counted c, whole w
  union all
  select '', 1::smallint, w.length from whole w
$$;

-- Triggers, so that no statement that stores, changes or deletes a memory can forget its words; and
-- no foreign key, whose check of every word would cost more than the words.
create function add_words() returns trigger language plpgsql as $$
begin
  insert into memory_words (tenant_id, scope_id, lexeme, memory_id, frequency, length)
  select m.tenant_id, m.scope_id, w.lexeme, m.id, w.frequency, w.length
  from after_it m
  join scopes s on s.scope_id = m.scope_id
  cross join lateral count_words(s.language, m.content) w
  where m.status = 'active';
  return null;
end $$;
create trigger memories_add_words after insert on memories
  referencing new table as after_it for each statement execute function add_words();

create function change_words() returns trigger language plpgsql as $$
declare
  v_changed uuid[] := array(
    select a.id from after_it a join before_it b using (tenant_id, id)
    where (a.content, a.status, a.scope_id) is distinct from (b.content, b.status, b.scope_id));
begin
  if v_changed <> '{}' then
    delete from memory_words w using before_it b
      where w.tenant_id = b.tenant_id and w.memory_id = b.id and b.id = any(v_changed);
    insert into memory_words (tenant_id, scope_id, lexeme, memory_id, frequency, length)
    select m.tenant_id, m.scope_id, w.lexeme, m.id, w.frequency, w.length
    from after_it m
    join scopes s on s.scope_id = m.scope_id
    cross join lateral count_words(s.language, m.content) w
    where m.status = 'active' and m.id = any(v_changed);
  end if;
  return null;
end $$;
create trigger memories_change_words after update on memories
  referencing old table as before_it new table as after_it
  for each statement execute function change_words();

create function delete_words() returns trigger language plpgsql as $$
begin
  delete from memory_words w using before_it b
    where w.tenant_id = b.tenant_id and w.memory_id = b.id;
  return null;
end $$;
create trigger memories_delete_words after delete on memories
  referencing old table as before_it for each statement execute function delete_words();

-- What is there already, of every tenant: for this moment the owner of the tables sees it.
alter table memories no force row level security;
alter table scopes no force row level security;
insert into memory_words (tenant_id, scope_id, lexeme, memory_id, frequency, length)
select m.tenant_id, m.scope_id, w.lexeme, m.id, w.frequency, w.length
from memories m
join scopes s on s.scope_id = m.scope_id
cross join lateral count_words(s.language, m.content) w
where m.status = 'active';
alter table memories force row level security;
alter table scopes force row level security;

-- A scope whose language changes is read anew.
create function reread_words() returns trigger language plpgsql as $$
begin
  delete from memory_words where scope_id = new.scope_id;
  insert into memory_words (tenant_id, scope_id, lexeme, memory_id, frequency, length)
  select m.tenant_id, m.scope_id, w.lexeme, m.id, w.frequency, w.length
  from memories m cross join lateral count_words(new.language, m.content) w
  where m.scope_id = new.scope_id and m.status = 'active';
  return null;
end $$;
create trigger scopes_reread_words after update of language on scopes for each row
  when (old.language is distinct from new.language) execute function reread_words();

create type worded_memory as (memory_id uuid, words float8);

-- BM25 of every memory of a scope that holds any of the words: Lucene's form, k1 0.9, b 0.4 (Kamphuis
-- et al. 2020, "Which BM25 Do You Mean?"), with the statistics of this scope alone.
create function score_words(p_scope int, p_words text[])
returns setof worded_memory language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_nestloop = off as $$
declare
  v_memories float8;
  v_length float8;
begin
  select count(*), greatest(avg(w.length), 1) into v_memories, v_length
    from memory_words w where w.scope_id = p_scope and w.lexeme = '';
  return query
    with found as materialized (
      select q.lexeme, w.memory_id, w.frequency, w.length
      from unnest(p_words) q (lexeme)
      -- `offset 0`: one look into the index for each word.
      cross join lateral (
        select w.memory_id, w.frequency, w.length from memory_words w
        where w.scope_id = p_scope and w.lexeme = q.lexeme offset 0
      ) w
    ), rarity as (
      select f.lexeme, ln(1 + (v_memories - count(*) + 0.5) / (count(*) + 0.5)) as idf
      from found f group by f.lexeme
    )
    select f.memory_id,
           sum(r.idf * f.frequency / (f.frequency + 0.9 * (0.6 + 0.4 * f.length / v_length)))
    from found f join rarity r using (lexeme)
    group by f.memory_id;
end $$;

-- The pool of one fused search in the order of session, time and id, one array for each column: the
-- p_depth nearest (as p_weights weigh similarity, recency and importance), the p_depth best by words,
-- and up to p_reach memories before and after each of these in its session. `before_count` and
-- `after_count` tell of the former how many of the latter there are.
create function pool_candidates(
  p_tenant int, p_agent text, p_user text, p_query halfvec, p_text text, p_time_words text,
  p_depth int, p_reach int, p_weights float8[], p_half_life float8, p_now timestamptz, p_kind text,
  p_exact_rows int
) returns table (
  ids uuid[], similarity float8[], words float8[], best_words float8, occurred_at float8[],
  importance float8[], sessions text[], before_count int[], after_count int[],
  tells_time boolean[], span_starts int[], span_ends int[]
) language plpgsql volatile rows 1
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_nestloop = off as $$
declare
  v_scope int;
  v_language regconfig;
  v_worded worded_memory[];
  v_found uuid[];
  v_timed uuid[];
begin
  perform set_config('fleetmem.tenant', p_tenant::text, true);
  select s.scope_id, s.language::regconfig into v_scope, v_language from scopes s
    where s.tenant_id = p_tenant and s.agent_id = p_agent and s.user_id = p_user;
  if v_scope is null then
    return;
  end if;
  v_found := array(
    select (h.memory).id from search_memories(
      p_tenant, p_agent, p_user, p_query, p_depth, p_weights, p_half_life, p_now, p_kind,
      p_exact_rows) h);
  v_worded := array(
    select w from score_words(v_scope, tsvector_to_array(to_tsvector(v_language, p_text))) w);
  v_timed := array(
    select distinct w.memory_id
    from unnest(tsvector_to_array(to_tsvector(v_language, p_time_words))) q (lexeme)
    cross join lateral (
      select w.memory_id from memory_words w
      where w.scope_id = v_scope and w.lexeme = q.lexeme offset 0
    ) w);
  return query
    with worded as materialized (
      select w.memory_id, w.words from unnest(v_worded) w
    ), best as (
      select w.memory_id from worded w
      where p_kind is null or p_kind = (
        select m.kind from memories m where m.tenant_id = p_tenant and m.id = w.memory_id)
      order by w.words desc, w.memory_id desc limit p_depth
    ), found as materialized (
      select m.* from (select unnest(v_found) as id union select b.memory_id from best b) f
      cross join lateral (
        select m.id, m.session_id, m.occurred_at, m.importance from memories m
        where m.tenant_id = p_tenant and m.id = f.id offset 0
      ) m
    ), beside as materialized (
      select f.id as found_id, f.session_id, n.* from found f
      cross join lateral (
        (select n.id, n.occurred_at, n.importance, 1 as before, 0 as after from memories n
         where n.scope_id = v_scope and n.session_id = f.session_id and n.status = 'active'
           and (n.occurred_at, n.id) < (f.occurred_at, f.id) and (p_kind is null or n.kind = p_kind)
         order by n.occurred_at desc, n.id desc limit p_reach)
        union all
        (select n.id, n.occurred_at, n.importance, 0, 1 from memories n
         where n.scope_id = v_scope and n.session_id = f.session_id and n.status = 'active'
           and (n.occurred_at, n.id) > (f.occurred_at, f.id) and (p_kind is null or n.kind = p_kind)
         order by n.occurred_at, n.id limit p_reach)
      ) n
    ), pool as (
      select p.id, p.session_id, p.occurred_at, p.importance, sum(p.before) as before,
             sum(p.after) as after
      from (
        select f.id, f.session_id, f.occurred_at, f.importance, 0 as before, 0 as after from found f
        union all
        select b.id, b.session_id, b.occurred_at, b.importance, 0, 0 from beside b
        union all
        select f.id, f.session_id, f.occurred_at, f.importance, b.before, b.after
        from beside b join found f on f.id = b.found_id
      ) p
      group by p.id, p.session_id, p.occurred_at, p.importance
    ), complete as (
      select p.*, v.similarity, v.span_start, v.span_end, coalesce(w.words, 0) as words,
             p.id in (select unnest(v_timed)) as tells_time
      from pool p
      cross join lateral (
        -- `+ 0` keeps the vector index out.
        select 1 - (v.embedding <=> p_query) as similarity, v.span_start, v.span_end
        from memory_vectors v where v.tenant_id = p_tenant and v.memory_id = p.id
        order by (v.embedding <=> p_query) + 0, v.span_start limit 1
      ) v
      left join worded w on w.memory_id = p.id
      order by p.session_id, p.occurred_at, p.id
    )
    select array_agg(c.id), array_agg(c.similarity), array_agg(c.words),
           (select coalesce(max(w.words), 0) from worded w),
           array_agg(date_part('epoch', c.occurred_at)), array_agg(c.importance),
           array_agg(c.session_id), array_agg(c.before::int), array_agg(c.after::int),
           array_agg(c.tells_time), array_agg(c.span_start), array_agg(c.span_end)
    from complete c having count(*) > 0;
end $$;

-- Memories of one tenant by id.
create function read_memories(p_tenant int, p_ids uuid[])
returns setof memories language plpgsql volatile
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  perform set_config('fleetmem.tenant', p_tenant::text, true);
  return query select m.* from memories m where m.tenant_id = p_tenant and m.id = any(p_ids);
end $$;

-- The active memories of a session that stand up to p_reach places before and after one of its own.
create function surround_memory(p_tenant int, p_id uuid, p_reach int)
returns setof memories language plpgsql volatile
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  v_own memories;
begin
  perform set_config('fleetmem.tenant', p_tenant::text, true);
  select * into v_own from memories m where m.tenant_id = p_tenant and m.id = p_id;
  return query
    select * from (
      (select n.* from memories n
       where n.scope_id = v_own.scope_id and n.session_id = v_own.session_id
         and n.status = 'active' and (n.occurred_at, n.id) < (v_own.occurred_at, v_own.id)
       order by n.occurred_at desc, n.id desc limit p_reach)
      union all
      (select n.* from memories n
       where n.scope_id = v_own.scope_id and n.session_id = v_own.session_id
         and n.status = 'active' and (n.occurred_at, n.id) > (v_own.occurred_at, v_own.id)
       order by n.occurred_at, n.id limit p_reach)
    ) beside order by beside.occurred_at, beside.id;
end $$;

alter table memory_words enable row level security;
alter table memory_words force row level security;
create policy tenant_rows on memory_words using (tenant_id = (select current_tenant()))
  with check (tenant_id = (select current_tenant()));
grant select, insert, delete on memory_words to fleetmem_service;
