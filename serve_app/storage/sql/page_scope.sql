-- At most $9 memories of one scope, newest first, older than id $8; null does not filter. The scope's
-- id is looked up first: only then does the index of the scope give its rows in order.
select found.* from enter_tenant($1) as entered (tenant_id)
cross join lateral (
  select m.id, m.tenant_id, $2::text as agent_id, $3::text as user_id, m.content, m.kind,
         m.importance, m.created_at, m.occurred_at, m.updated_at, m.status, m.sources,
         m.superseded_by, m.version, m.session_id
  from memories m
  where m.tenant_id = entered.tenant_id
    and m.scope_id = (
      select s.scope_id from scopes s
      where s.tenant_id = entered.tenant_id and s.agent_id = $2 and s.user_id = $3
    )
    and ($4::text is null or m.kind = $4)
    and ($5::text is null or m.status = $5)
    and ($6::timestamptz is null or m.occurred_at >= $6)
    and ($7::timestamptz is null or m.occurred_at < $7)
    and ($8::uuid is null or m.id < $8)
  order by m.id desc
  limit $9
) found
order by found.id desc
