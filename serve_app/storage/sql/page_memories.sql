-- At most $9 memories of tenant $1, newest first, older than id $8; null does not filter.
select found.* from enter_tenant($1) as entered (tenant_id)
cross join lateral (
  select m.id, m.tenant_id, s.agent_id, s.user_id, m.content, m.kind, m.importance, m.created_at,
         m.occurred_at, m.updated_at, m.status, m.sources, m.superseded_by, m.version, m.session_id
  from memories m join scopes s using (scope_id)
  where m.tenant_id = entered.tenant_id
    and ($2::text is null or s.agent_id = $2)
    and ($3::text is null or s.user_id = $3)
    and ($4::text is null or m.kind = $4)
    and ($5::text is null or m.status = $5)
    and ($6::timestamptz is null or m.occurred_at >= $6)
    and ($7::timestamptz is null or m.occurred_at < $7)
    and ($8::uuid is null or m.id < $8)
  order by m.id desc
  limit $9
) found
order by found.id desc
