-- What stands up to $3 places before and after each memory in its session, by the tenants ($1) and
-- ids ($2) of the memories; `number` counts those from 1.
select q.number, m.id, m.content, m.kind, m.importance, m.created_at, m.occurred_at,
       m.updated_at, m.status, m.sources, m.superseded_by, m.version, m.session_id
from unnest($1::int[], $2::uuid[]) with ordinality as q (tenant_id, id, number)
cross join lateral surround_memory(q.tenant_id, q.id, $3) m
order by q.number, m.occurred_at, m.id
