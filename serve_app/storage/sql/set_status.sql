-- Give memories $1 the status $2 and the summary $3 that supersedes them.
update memories set status = $2, superseded_by = $3 where id = any($1::uuid[])
