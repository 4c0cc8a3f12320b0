-- The $3 oldest active memories of scope $1 of the sort that has more than $2: episodic ones
-- first, then summaries.
with sort as (
  select
    (select count(*) from (select from memories where scope_id = $1 and status = 'active'
       and kind = 'episodic' limit $2 + 1) e) > $2 as episodic,
    (select count(*) from (select from memories where scope_id = $1 and status = 'active'
       and kind = 'semantic' and sources <> '{}' limit $2 + 1) s) > $2 as summaries
)
select m.id, m.tenant_id, s.agent_id, s.user_id, m.content, m.kind, m.importance, m.created_at,
       m.occurred_at, m.updated_at, m.status, m.sources, m.superseded_by, m.version, m.session_id
from sort, memories m join scopes s using (scope_id)
where m.scope_id = $1 and m.status = 'active'
  and case when sort.episodic then m.kind = 'episodic'
           else sort.summaries and m.kind = 'semantic' and m.sources <> '{}' end
order by m.occurred_at, m.id
limit $3
