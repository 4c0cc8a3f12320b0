-- The pools of many fused searches in one round trip, of any tenants. $1 to $14: one array each, one
-- element a search; $15: how many are found each way, at least; $16: the size up to which a scope
-- is ranked in full; $17: the model of all vectors. At most one row a search, read by position.
select q.number, p.*
from unnest(
  enter_model($17, $1::int[]), $2::text[], $3::text[], $4::halfvec[], $5::int[], $6::float8[], $7::float8[],
  $8::float8[], $9::float8[], $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::int[]
) with ordinality as q (
  tenant_id, agent_id, user_id, vector, top_k, similarity_weight, recency_weight,
  importance_weight, half_life, now, kind, text, time_words, reach, number
)
cross join lateral pool_candidates(
  q.tenant_id, q.agent_id, q.user_id, q.vector, q.text, q.time_words, greatest($15, 2 * q.top_k),
  q.reach, array[q.similarity_weight, q.recency_weight, q.importance_weight], q.half_life, q.now,
  q.kind, $16
) p
order by q.number
