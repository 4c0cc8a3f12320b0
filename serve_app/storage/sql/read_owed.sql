-- At most $3 memories that are owed vectors, behind memory $2 of tenant $1.
select m.tenant_id, m.id, m.content, m.content_hash
from (
  select o.tenant_id, o.memory_id from vectors_owed o
  where (o.tenant_id, o.memory_id) > ($1, $2)
  order by o.tenant_id, o.memory_id limit $3
) o
join memories m on m.tenant_id = o.tenant_id and m.id = o.memory_id
order by m.tenant_id, m.id
