-- Delete at most $2 keys, of all tenants, that are older than $1 hours.
delete from idempotency_keys where (tenant_id, key) in (
  select k.tenant_id, k.key from idempotency_keys k
  where k.created_at < now() - make_interval(hours => $1)
  order by k.created_at limit $2
  for update skip locked
)
