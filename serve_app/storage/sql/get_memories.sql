-- Memories $2 of tenant $1, whatever their status.
select found.* from enter_tenant($1) as entered (tenant_id)
cross join lateral (
  select m.id, m.tenant_id, s.agent_id, s.user_id, m.content, m.kind, m.importance, m.created_at,
         m.occurred_at, m.updated_at, m.status, m.sources, m.superseded_by, m.version, m.session_id,
         m.scope_id
  from memories m join scopes s using (scope_id)
  where m.tenant_id = entered.tenant_id and m.id = any($2::uuid[])
  offset 0
) found
