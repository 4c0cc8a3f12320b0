-- Many searches in one round trip, of any tenants. $1 to $11: one array each, one element a search;
-- $12: the size up to which a scope is ranked in full; $13: the model of all vectors. Returns the winners of search `number` (from
-- 1); rows.py reads them by position.
select q.number, h.similarity, h.span_start, h.span_end, (h.memory).id, (h.memory).content,
       (h.memory).kind, (h.memory).importance, (h.memory).created_at, (h.memory).occurred_at,
       (h.memory).updated_at, (h.memory).status, (h.memory).sources, (h.memory).superseded_by,
       (h.memory).version, (h.memory).session_id
from unnest(
  enter_model($13, $1::int[]), $2::text[], $3::text[], $4::halfvec[], $5::int[], $6::float8[], $7::float8[],
  $8::float8[], $9::float8[], $10::timestamptz[], $11::text[]
) with ordinality as q (
  tenant_id, agent_id, user_id, vector, top_k, similarity_weight, recency_weight,
  importance_weight, half_life, now, kind, number
)
cross join lateral search_memories(
  q.tenant_id, q.agent_id, q.user_id, q.vector, q.top_k,
  array[q.similarity_weight, q.recency_weight, q.importance_weight], q.half_life, q.now, q.kind,
  $12
) h
order by q.number, h.score desc
