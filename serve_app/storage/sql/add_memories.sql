-- Store memories ($1 to $12) and their vectors ($13 to $17) at once; an id that is there stays as
-- it is. `sources` come as text, since unnest would flatten an array of arrays.
with given as (
  select * from unnest(
    $1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[], $6::float8[], $7::timestamptz[],
    $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::bytea[]
  ) with ordinality as g (
    id, tenant_id, scope_id, content, kind, importance, created_at, occurred_at, updated_at,
    status, sources, content_hash, number
  )
), added as (
  insert into memories (
    id, tenant_id, scope_id, content, kind, importance, created_at, occurred_at, updated_at,
    status, sources, content_hash
  )
  select g.id, g.tenant_id, g.scope_id, g.content, g.kind, g.importance, g.created_at,
         g.occurred_at, g.updated_at, g.status, g.sources::uuid[], g.content_hash
  from given g
  -- One order for all: two batches with the same ids wait for each other, and never in a circle.
  order by g.id, g.number
  on conflict (id) do nothing
  returning id, tenant_id, scope_id, kind, importance, occurred_at, status
), chunks as (
  insert into memory_vectors (
    memory_id, ordinal, tenant_id, scope_id, span_start, span_end, kind, importance,
    occurred_at, active, embedding
  )
  select a.id, v.ordinal, a.tenant_id, a.scope_id, v.span_start, v.span_end, a.kind,
         a.importance, a.occurred_at, a.status = 'active', v.embedding
  from added a
  join unnest($13::uuid[], $14::smallint[], $15::int[], $16::int[], $17::halfvec[])
    as v (memory_id, ordinal, span_start, span_end, embedding) on v.memory_id = a.id
)
select id from added
