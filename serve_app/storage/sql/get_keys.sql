-- What may be told of a tenant's keys, oldest first. $1 tenant; $2 one key id, or null for all.
select key_id, tenant_id, label, scopes, created_at, expires_at, revoked_at, last_used_at
from api_keys
where tenant_id = $1 and ($2::text is null or key_id = $2)
order by created_at, key_id
