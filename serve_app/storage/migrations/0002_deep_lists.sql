-- Ask HNSW for long lists only where they are shorter than the scope.

-- The true top_k of one scope under the combined score; at least min(top_k, matching) rows.
create or replace function search_memories(
  p_tenant int, p_agent text, p_user text, p_query halfvec, p_top_k int, p_weights float8[],
  p_half_life float8, p_now timestamptz, p_kind text, p_exact_rows int
) returns setof scored_vector language plpgsql volatile rows 10
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  v_scope int;
  v_index ann_index;
  v_probes int;
  v_exact bigint := p_exact_rows;
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
      return query select * from rank_by_lists(
        v_scope, p_query, p_top_k, p_weights, p_half_life, p_now, p_kind);
      if found then
        return;
      end if;
    end if;
  end if;
  return query select * from rank_in_full(
    v_scope, p_query, p_top_k, p_weights, p_half_life, p_now, p_kind);
end $$;
