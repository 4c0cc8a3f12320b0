-- Memories by their tenants ($1) and ids ($2), of any tenants.
select m.tenant_id, m.id, m.content, m.kind, m.importance, m.created_at, m.occurred_at,
       m.updated_at, m.status, m.sources, m.superseded_by, m.version, m.session_id
from (
  select g.tenant_id, array_agg(g.id) as ids
  from unnest($1::int[], $2::uuid[]) g (tenant_id, id) group by g.tenant_id
) t
cross join lateral read_memories(t.tenant_id, t.ids) m
