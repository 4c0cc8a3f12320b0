-- Whose rows a transaction may touch, and the roles that are held to it.

-- The tenant of this transaction. Once a transaction that set one has ended, the setting is empty.
create function current_tenant() returns int language sql stable parallel safe as $$
  select nullif(current_setting('fleetmem.tenant', true), '')::int
$$;

-- fleetmem_service answers requests, within one tenant at a time. fleetmem_maintenance tends the
-- house: it sees every tenant's rows. Neither owns anything; roles belong to the whole server.
do $$
declare
  v_role text;
begin
  foreach v_role in array array['fleetmem_service', 'fleetmem_maintenance'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      begin
        execute format('create role %I', v_role);
        -- Whoever migrates acts as either; a superuser may without being a member.
        if not (select rolsuper from pg_roles where rolname = current_user) then
          execute format('grant %I to %I', v_role, current_user);
        end if;
      exception
        when duplicate_object or unique_violation then
          null;  -- Another database of this server was migrated at the same moment.
        when insufficient_privilege then
          raise exception using errcode = 'insufficient_privilege', message = format(
            '%I may not create roles; let a superuser run: create role fleetmem_service; '
            'create role fleetmem_maintenance; '
            'grant fleetmem_service, fleetmem_maintenance to %I', current_user, current_user);
      end;
    end if;
  end loop;
end $$;

grant usage on schema public to fleetmem_service, fleetmem_maintenance;
