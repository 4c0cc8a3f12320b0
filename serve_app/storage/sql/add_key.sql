-- One key; nothing when its id is taken, in whatever tenant.
insert into api_keys (key_id, tenant_id, digest, label, scopes, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing
