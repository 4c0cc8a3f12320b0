-- $1 active memories by chance, with their scopes.
select m.content, s.tenant_id, s.agent_id, s.user_id, m.id
from memories m join scopes s using (tenant_id, scope_id)
where m.status = 'active'
order by random() limit $1
