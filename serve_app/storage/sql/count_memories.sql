-- Active memories of one scope.
select found.total from enter_tenant($1) as entered (tenant_id)
cross join lateral (
  select count(*) as total from memories m
  where m.status = 'active' and m.scope_id = (
    select s.scope_id from scopes s
    where s.tenant_id = entered.tenant_id and s.agent_id = $2 and s.user_id = $3
  )
) found
