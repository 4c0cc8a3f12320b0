-- Settle and lease tokens of many windows in one round trip; rows come in the order of the arrays.
-- $1 tenants, $2 subjects, $3 and $4 the limits, $5 to $7 tokens asked for (least, due, ahead),
-- $8 to $11 the block that is settled (slot or null, spent, unspent, idle), $12 the time or null.
select l.granted, l.free, l.lifetime, l.slot, l.wait
from unnest(
  $1::int[], $2::bytea[], $3::int[], $4::float8[], $5::int[], $6::int[], $7::int[],
  $8::bigint[], $9::int[], $10::int[], $11::float8[]
) with ordinality as q (
  tenant_id, subject, count, seconds, least, due, ahead, slot, spent, unspent, idle, number
)
cross join lateral lease_tokens(
  q.tenant_id, q.subject, q.count, q.seconds, array[q.least, q.due, q.ahead], q.slot,
  array[q.spent, q.unspent], q.idle, $12
) l
order by q.number
