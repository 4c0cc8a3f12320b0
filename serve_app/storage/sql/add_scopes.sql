-- The ids of scopes ($1 tenants, $2 agents, $3 users), made where they are missing.
with given as (
  select g.tenant_id, array_agg(g.agent_id) as agents, array_agg(g.user_id) as users
  from unnest($1::int[], $2::text[], $3::text[]) g (tenant_id, agent_id, user_id)
  group by g.tenant_id
  order by g.tenant_id
)
select made.scope_id, made.tenant_id, made.agent_id, made.user_id
from given g cross join lateral add_scopes(g.tenant_id, g.agents, g.users) made
