-- Active memories of one scope.
select count(*) from memories m
where m.status = 'active' and m.scope_id = (
  select s.scope_id from scopes s where s.tenant_id = $1 and s.agent_id = $2 and s.user_id = $3
)
