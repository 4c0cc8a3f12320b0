-- Set the profile ($3) and language ($4) of agent $2 of tenant $1 anew.
insert into ranking_defaults (tenant_id, agent_id, profile, language)
values ($1, $2, $3, $4)
on conflict (tenant_id, agent_id) do update
  set profile = excluded.profile, language = excluded.language
