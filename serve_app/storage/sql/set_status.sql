-- Give memories $1 the status $2 and the summary $3 that supersedes them.
with moved as (
  update memories set status = $2, superseded_by = $3 where id = any($1::uuid[]) returning id
)
update memory_vectors v set active = $2 = 'active' from moved m where v.memory_id = m.id
