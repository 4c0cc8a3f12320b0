-- Memories $2 of tenant $1 as they were in versions $3.
select t.id, t.tenant_id, s.agent_id, s.user_id, t.content, t.kind, t.importance, m.created_at,
       t.occurred_at, t.updated_at, t.status, m.sources, t.superseded_by, t.version, m.session_id
from unnest($2::uuid[], $3::int[]) as a (id, version)
join memory_states t on t.id = a.id and t.version = a.version
join memories m on m.id = a.id
join scopes s using (scope_id)
where m.tenant_id = $1
