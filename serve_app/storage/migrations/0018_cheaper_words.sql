-- BM25 of every memory of a scope that holds any of the words: Lucene's form, k1 0.9, b 0.4 (Kamphuis
-- et al. 2020, "Which BM25 Do You Mean?"), with the statistics of this scope alone. Counting in the
-- index first is cheaper than keeping the rows until their number is known; so are floats, which
-- literals and integers would turn into numerics.
create or replace function score_words(p_scope int, p_words text[])
returns setof worded_memory language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  v_memories float8;
  v_length float8;
begin
  select count(*), greatest(avg(w.length), 1) into v_memories, v_length
    from memory_words w where w.scope_id = p_scope and w.lexeme = '';
  return query
    select w.memory_id,
           sum(r.idf * w.frequency
               / (w.frequency + 0.9::float8 * (0.6::float8 + 0.4::float8 / v_length * w.length)))
    from (
      select q.lexeme, ln(1 + (v_memories - n.holding + 0.5) / (n.holding + 0.5)) as idf
      from unnest(p_words) q (lexeme)
      -- `offset 0`, twice: one look into the index for each word.
      cross join lateral (
        select count(*)::float8 as holding from memory_words w
        where w.scope_id = p_scope and w.lexeme = q.lexeme offset 0
      ) n
    ) r
    cross join lateral (
      select w.memory_id, w.frequency, w.length from memory_words w
      where w.scope_id = p_scope and w.lexeme = r.lexeme offset 0
    ) w
    group by w.memory_id;
end $$;

-- As before, but the words' scores go straight into the statement, and time words are looked for in
-- the pool alone.
create or replace function pool_candidates(
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
  v_words text[];
  v_time_words text[];
  v_found uuid[];
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
  v_words := tsvector_to_array(to_tsvector(v_language, p_text));
  v_time_words := tsvector_to_array(to_tsvector(v_language, p_time_words));
  return query
    with worded as materialized (
      select w.memory_id, w.words from score_words(v_scope, v_words) w
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
    ), timed as materialized (
      select w.memory_id from unnest(v_time_words) q (lexeme)
      -- `offset 0`: by their memories, the index would be asked for each word of each.
      cross join lateral (
        select w.memory_id from memory_words w
        where w.scope_id = v_scope and w.lexeme = q.lexeme offset 0
      ) w
      where w.memory_id in (select p.id from pool p)
    ), complete as (
      select p.*, v.similarity, v.span_start, v.span_end, coalesce(w.words, 0) as words,
             p.id in (select t.memory_id from timed t) as tells_time
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
