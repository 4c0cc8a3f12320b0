-- What tenant $1 holds and may hold.
select coalesce(sum(u.memories), 0)::bigint as memories, coalesce(sum(u.bytes), 0)::bigint as bytes,
       max(t.max_memories) as max_memories, max(t.max_bytes) as max_bytes
from (select $1::int as tenant_id) asked
left join tenant_usage u using (tenant_id)
left join tenant_limits t using (tenant_id)
