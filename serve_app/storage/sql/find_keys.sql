-- Keys by their ids, in any tenant, and the epoch of the stored keys; one row without a key when
-- there are none. $1 key ids.
select * from find_keys($1::text[])
