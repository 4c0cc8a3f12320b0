-- Set the rates ($2) and quotas ($3 memories, $4 bytes) of tenant $1 anew.
insert into tenant_limits (tenant_id, rates, max_memories, max_bytes)
values ($1, $2::jsonb, $3, $4)
on conflict (tenant_id) do update
  set rates = excluded.rates, max_memories = excluded.max_memories, max_bytes = excluded.max_bytes
