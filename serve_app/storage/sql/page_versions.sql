-- At most $4 versions of memory $2 of tenant $1, newest first, below version $3 when it is given.
select t.version, t.content, t.kind, t.importance, t.occurred_at, t.status, t.superseded_by,
       coalesce(
         (select p.valid_to from memory_versions p
          where p.memory_id = t.id and p.version = t.version - 1),
         m.created_at
       ) as valid_from,
       t.valid_to
from memories m join memory_states t on t.id = m.id
where m.tenant_id = $1 and m.id = $2 and ($3::int is null or t.version < $3)
order by t.version desc
limit $4
