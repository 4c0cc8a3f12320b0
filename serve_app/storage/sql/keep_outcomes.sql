-- Keep what was done under key $2 of tenant $1: $3 digest, $4 outcomes. The key is claimed.
insert into idempotency_keys (tenant_id, key, digest, outcomes) values ($1, $2, $3, $4)
on conflict (tenant_id, key) do update set outcomes = excluded.outcomes
