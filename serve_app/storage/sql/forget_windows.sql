-- Forget the windows of rate limits that nobody has touched for twice their span.
delete from token_windows where ends_at < now()
