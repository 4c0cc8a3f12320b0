-- The ids of scopes ($1 tenants, $2 agents, $3 users), made where they are missing.
with given as (
  select distinct * from unnest($1::int[], $2::text[], $3::text[]) g (tenant_id, agent_id, user_id)
), made as (
  insert into scopes (tenant_id, agent_id, user_id)
  select g.* from given g
  where not exists (select from scopes s where (s.tenant_id, s.agent_id, s.user_id) = (g.*))
  order by g.tenant_id, g.agent_id, g.user_id
  on conflict do nothing
  returning scope_id, tenant_id, agent_id, user_id
)
select scope_id, tenant_id, agent_id, user_id from made
union all
select s.scope_id, s.tenant_id, s.agent_id, s.user_id
from scopes s join given g using (tenant_id, agent_id, user_id)
