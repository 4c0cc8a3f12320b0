-- The active memories that say what tenant $1 is about to store with vectors of model $2: $3 scopes,
-- $4 kinds, $5 hashes, $6 contents. Each with its place, counted from 0.
select t.place, (t.memory).id, (t.memory).content, (t.memory).kind, (t.memory).importance,
       (t.memory).created_at, (t.memory).occurred_at, (t.memory).updated_at, (t.memory).status,
       (t.memory).sources, (t.memory).superseded_by, (t.memory).version, (t.memory).session_id
from find_twins($1, $2, $3, $4, $5, $6) t
