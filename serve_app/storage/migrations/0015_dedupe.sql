-- The active memory of a scope that says the same, byte for byte: the one that was first; no row
-- where there is none. An index of contents would tax every write, and words are indexed already:
-- the rarest of a content leads to the few memories that may be it.
create function find_twin(p_scope int, p_kind text, p_hash bytea, p_content text)
returns setof memories language plpgsql volatile rows 1
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  v_limit int := 64;
  v_rarest record;
begin
  loop
    select w.*, seen.memories into v_rarest
    from scopes s cross join lateral count_words(s.language, p_content) w
    cross join lateral (
      select count(*) as memories from (
        select from memory_words k where k.scope_id = p_scope and k.lexeme = w.lexeme limit v_limit
      ) few
    ) seen
    where s.scope_id = p_scope
    order by seen.memories, length(w.lexeme) desc limit 1;
    -- Where all words are common, it takes more to tell which is the rarest.
    exit when v_rarest.memories < v_limit or v_limit > 10000;
    v_limit := 4 * v_limit;
  end loop;
  return query
    select m.* from memory_words w
    -- `offset 0`: one look for each that has this word as often, among as many words.
    cross join lateral (
      select m.* from memories m where m.tenant_id = w.tenant_id and m.id = w.memory_id offset 0
    ) m
    where w.scope_id = p_scope and w.lexeme = v_rarest.lexeme
      and w.frequency = v_rarest.frequency and w.length = v_rarest.length
      and m.status = 'active' and m.kind = p_kind and m.content_hash = p_hash
    order by w.memory_id limit 1;
end $$;

-- The twin of each content that one tenant is about to store, by place, where there is one. Until
-- this transaction ends, nobody else who asks the same stores one.
create function find_twins(
  p_tenant int, p_model text, p_scopes int[], p_kinds text[], p_hashes bytea[], p_contents text[]
) returns table (place bigint, memory memories) language plpgsql volatile as $$
begin
  perform enter_writing(p_tenant, p_model);
  -- In one order for all. 128 locks a tenant, since a server has a few thousand of them; no
  -- idempotency key begins with a line feed.
  perform pg_advisory_xact_lock(l.name) from (
    select distinct hashtextextended(E'\n' || get_byte(h, 0) % 128, p_tenant) as name
    from unnest(p_hashes) h order by name
  ) l;
  -- Only what is read from here on has what others stored under these locks.
  return query
    select g.place - 1, twin from unnest(p_scopes, p_kinds, p_hashes, p_contents)
      with ordinality g (scope_id, kind, hash, content, place)
    cross join lateral find_twin(g.scope_id, g.kind, g.hash, g.content) twin;
end $$;
