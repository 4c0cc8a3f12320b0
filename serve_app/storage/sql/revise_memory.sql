-- Change memory $1; null leaves a field as it is. Triggers see to its vectors.
update memories set
  content = coalesce($2, content), kind = coalesce($3, kind),
  importance = coalesce($4, importance), occurred_at = coalesce($5, occurred_at),
  status = coalesce($6, status), content_hash = coalesce($7, content_hash), updated_at = $8
where id = $1
