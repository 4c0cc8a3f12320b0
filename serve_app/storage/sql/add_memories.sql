-- Store memories ($1 to $13) and their vectors ($14 to $18) of any tenants at once; an id that is
-- there stays as it is. `sources` come as text, since unnest would flatten an array of arrays. Each
-- row has every column of its table, in order. $19: the model that made the vectors.
with given as materialized (
  select * from unnest(
    $1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[], $6::float8[], $7::timestamptz[],
    $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::bytea[], $13::text[]
  ) with ordinality as g (
    id, tenant_id, scope_id, content, kind, importance, created_at, occurred_at, updated_at,
    status, sources, content_hash, session_id, number
  )
), memory_rows as (
  select g.tenant_id, array_agg(row (
    g.id, g.tenant_id, g.scope_id, g.content, g.kind, g.importance, g.created_at, g.occurred_at,
    g.updated_at, g.status, g.sources::uuid[], null, g.content_hash, 1, g.session_id
  )::memories order by g.number) as list
  from given g group by g.tenant_id
), vector_rows as (
  select g.tenant_id, array_agg(row (
    g.id, v.ordinal, g.tenant_id, g.scope_id, v.span_start, v.span_end, g.kind, g.importance,
    g.occurred_at, g.status = 'active', v.embedding
  )::given_vector) as list
  from given g
  join unnest($14::uuid[], $15::smallint[], $16::int[], $17::int[], $18::halfvec[])
    as v (memory_id, ordinal, span_start, span_end, embedding) on v.memory_id = g.id
  group by g.tenant_id
), tenants_in_turn as (
  select tenant_id, m.list as memories, v.list as vectors
  from memory_rows m left join vector_rows v using (tenant_id)
  order by tenant_id
)
select t.tenant_id, added.id
from tenants_in_turn t cross join lateral add_memories(
  t.tenant_id, $19, t.memories, t.vectors) added (id)
