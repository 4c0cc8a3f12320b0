-- Change memory $1; null leaves a field as it is. Its vectors follow.
with revised as (
  update memories set
    content = coalesce($2, content), kind = coalesce($3, kind),
    importance = coalesce($4, importance), occurred_at = coalesce($5, occurred_at),
    status = coalesce($6, status), content_hash = coalesce($7, content_hash), updated_at = $8
  where id = $1
  returning id, kind, importance, occurred_at, status
)
update memory_vectors v set
  kind = r.kind, importance = r.importance, occurred_at = r.occurred_at,
  active = r.status = 'active'
from revised r
where v.memory_id = r.id
