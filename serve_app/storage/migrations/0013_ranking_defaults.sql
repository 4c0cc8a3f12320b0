-- How searches rank that name no profile, and the language of scopes made from now on: of an agent,
-- or of its whole tenant (agent ''). What is null here is the tenant's, and then the settings'.
create table ranking_defaults (
  tenant_id int not null references tenants on delete cascade,
  agent_id text collate "C" not null default '',
  profile text check (profile in ('decay', 'blend', 'hybrid', 'conversation')),
  language text,
  primary key (tenant_id, agent_id),
  check (coalesce(profile, language) is not null)
);
alter table ranking_defaults enable row level security;
alter table ranking_defaults force row level security;
create policy tenant_rows on ranking_defaults
  using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy operator_rows on ranking_defaults for select
  using ((select current_setting('fleetmem.operator', true)) = 'on');
grant select, insert, update, delete on ranking_defaults to fleetmem_service;

-- The profiles of all tenants and agents that have their own.
create function default_profiles() returns table (tenant_id int, agent_id text, profile text)
language plpgsql as $$
begin
  perform set_config('fleetmem.operator', 'on', true);
  return query
    select d.tenant_id, d.agent_id, d.profile from ranking_defaults d where d.profile is not null;
end $$;

-- The scopes of one tenant, made where they are missing, in the language of their agent.
create or replace function add_scopes(p_tenant int, p_agents text[], p_users text[])
returns setof scopes language plpgsql volatile as $$
begin
  perform enter_tenant(p_tenant);
  return query
    with given as (
      select distinct * from unnest(p_agents, p_users) g (agent_id, user_id)
    ), made as (
      insert into scopes (tenant_id, agent_id, user_id, language)
      select p_tenant, g.*, coalesce(
        (select d.language from ranking_defaults d
         where d.tenant_id = p_tenant and d.agent_id in (g.agent_id, '') and d.language is not null
         order by d.agent_id desc limit 1),
        nullif(current_setting('fleetmem.language', true), ''), 'english')
      from given g
      where not exists (
        select from scopes s where (s.tenant_id, s.agent_id, s.user_id) = (p_tenant, g.*)
      )
      order by g.agent_id, g.user_id
      on conflict do nothing
      returning *
    )
    select * from made
    union all
    select s.* from scopes s join given g using (agent_id, user_id) where s.tenant_id = p_tenant;
end $$;

-- Read the words of one scope anew, in another language; whether there is such a scope. Who writes
-- to it meanwhile waits, so that no memory keeps the words of the language before.
create function change_language(p_tenant int, p_agent text, p_user text, p_language text)
returns boolean language plpgsql volatile as $$
declare
  v_scope int;
begin
  perform enter_tenant(p_tenant);
  select s.scope_id into v_scope from scopes s
    where (s.tenant_id, s.agent_id, s.user_id) = (p_tenant, p_agent, p_user) for update;
  if not found then
    return false;
  end if;
  perform from memories m where m.tenant_id = p_tenant and m.scope_id = v_scope
    order by m.id for update;
  update scopes s set language = p_language where s.scope_id = v_scope;
  return true;
end $$;
grant update (language) on scopes to fleetmem_service;
