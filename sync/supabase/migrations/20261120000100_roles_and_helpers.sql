-- Who a caller is, and the helpers that every table uses. Nothing in "private" is reachable over the API.
create schema if not exists private;
revoke all on schema private from public;

-- Claims of the request's JWT. auth.uid() is not used: a custom role may have no access to the schema auth.
create function private.jwt() returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(nullif(pg_catalog.current_setting('request.jwt.claims', true), ''), '{}')::jsonb
$$;

-- Roles of people and programs: one business a project (viewer, reviewer, admin), agent for n8n, web for the shop's server.
create table public.staff_roles (
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null check (role in ('viewer', 'reviewer', 'admin', 'agent', 'web', 'gateway')),
  created_at timestamptz not null default now(),
  primary key (user_id, role)
);
comment on table public.staff_roles is 'What each Auth user may do; a user without a row sees nothing.';

-- True when the caller has one of these roles. SECURITY DEFINER: policies call it, staff_roles itself stays closed.
create function private.has_role(variadic roles text[]) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (
    select 1 from public.staff_roles r
    where r.user_id = nullif(private.jwt() ->> 'sub', '')::uuid and r.role = any (roles))
$$;

-- Who changes a row on behalf of the gateway protocol: a box's id, 'reaper', or empty for people and programs.
create function private.actor() returns text
language sql stable set search_path = '' as $$
  select coalesce(pg_catalog.current_setting('conductor.actor', true), '')
$$;

create function private.touch() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end
$$;

revoke all on all functions in schema private from public;
grant usage on schema private to authenticated, service_role;
grant execute on function private.jwt(), private.has_role(text[]), private.actor(), private.touch() to authenticated, service_role;
