-- When keys were last used, never earlier than what is noted; asked_keys() must name them.
-- $1 key ids, $2 moments.
update api_keys k set last_used_at = u.used_at
from unnest($1::text[], $2::timestamptz[]) u (key_id, used_at)
where k.key_id = u.key_id and (k.last_used_at is null or k.last_used_at < u.used_at)
