-- At most $2 scopes with more than $1 memories of a sort that is folded: every scope of the partial
-- indexes is visited once, and its rows are counted no further than needed.
with recursive episodic as (
  (select scope_id from memories where status = 'active' and kind = 'episodic'
   order by scope_id limit 1)
  union all
  select (select m.scope_id from memories m
          where m.status = 'active' and m.kind = 'episodic' and m.scope_id > e.scope_id
          order by m.scope_id limit 1)
  from episodic e where e.scope_id is not null
), summaries as (
  (select scope_id from memories where status = 'active' and kind = 'semantic' and sources <> '{}'
   order by scope_id limit 1)
  union all
  select (select m.scope_id from memories m
          where m.status = 'active' and m.kind = 'semantic' and m.sources <> '{}'
            and m.scope_id > s.scope_id
          order by m.scope_id limit 1)
  from summaries s where s.scope_id is not null
)
select scope_id from (
  select e.scope_id from episodic e
  where exists (select from memories m where m.scope_id = e.scope_id and m.status = 'active'
                and m.kind = 'episodic' offset $1)
  union
  select s.scope_id from summaries s
  where exists (select from memories m where m.scope_id = s.scope_id and m.status = 'active'
                and m.kind = 'semantic' and m.sources <> '{}' offset $1)
) crowded
order by scope_id limit $2
