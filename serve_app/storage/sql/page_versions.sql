-- At most $4 versions of memory $2 of tenant $1, newest first, below version $3 when it is given.
select found.* from enter_tenant($1) as entered (tenant_id)
cross join lateral (
  select t.version, t.content, t.kind, t.importance, t.occurred_at, t.status, t.superseded_by,
         coalesce(
           (select p.valid_to from memory_versions p
            where (p.tenant_id, p.memory_id) = (t.tenant_id, t.id) and p.version = t.version - 1),
           m.created_at
         ) as valid_from,
         t.valid_to
  from memories m join memory_states t using (tenant_id, id)
  where m.tenant_id = entered.tenant_id and m.id = $2 and ($3::int is null or t.version < $3)
  order by t.version desc
  limit $4
) found
order by found.version desc
