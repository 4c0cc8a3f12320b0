-- Lease scope $1 to holder $2 for $3 seconds, unless somebody else holds it.
insert into summary_leases (tenant_id, scope_id, holder, expires_at)
select s.tenant_id, s.scope_id, $2, now() + make_interval(secs => $3)
from scopes s where s.scope_id = $1
on conflict (scope_id) do update set holder = excluded.holder, expires_at = excluded.expires_at
  where summary_leases.expires_at < now() or summary_leases.holder = excluded.holder
returning scope_id
