-- Vectors of memory $1, which has none: $2 ordinals, $3 and $4 spans, $5 embeddings.
insert into memory_vectors (
  memory_id, ordinal, tenant_id, scope_id, span_start, span_end, kind, importance, occurred_at,
  active, embedding
)
select m.id, v.ordinal, m.tenant_id, m.scope_id, v.span_start, v.span_end, m.kind, m.importance,
       m.occurred_at, m.status = 'active', v.embedding
from memories m
cross join unnest($2::smallint[], $3::int[], $4::int[], $5::halfvec[])
  as v (ordinal, span_start, span_end, embedding)
where m.id = $1
