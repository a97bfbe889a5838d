-- Makes a plain PostgreSQL 15 cluster look like a hosted project to the migrations. Run as superuser, in the database that is to hold
-- the project, before migrations/*.sql. Only for tests: a hosted project has all of this.
\set ON_ERROR_STOP on
set client_min_messages = warning;
do $$
declare r text;
begin
  foreach r in array array['anon', 'authenticated', 'supabase_admin', 'supabase_auth_admin', 'supabase_realtime_admin'] loop
    if not exists (select 1 from pg_roles where rolname = r) then execute format('create role %I nologin noinherit', r); end if;
  end loop;
  if not exists (select 1 from pg_roles where rolname = 'service_role') then create role service_role nologin noinherit bypassrls; end if;
  if not exists (select 1 from pg_roles where rolname = 'authenticator') then create role authenticator login noinherit; end if;
  -- What `postgres` is on a hosted project: no superuser.
  if not exists (select 1 from pg_roles where rolname = 'hosted_postgres') then create role hosted_postgres login createrole createdb bypassrls; end if;
end
$$;
grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to hosted_postgres with admin option;
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';

create schema if not exists auth authorization supabase_auth_admin;
create schema if not exists extensions;
create schema if not exists realtime authorization supabase_realtime_admin;
create extension if not exists pgcrypto with schema extensions;
create extension if not exists "uuid-ossp" with schema extensions;
create table if not exists auth.users (
  id uuid primary key default gen_random_uuid(), email text unique, encrypted_password text,
  created_at timestamptz not null default now(), banned_until timestamptz);
alter table auth.users owner to supabase_auth_admin;
create or replace function auth.jwt() returns jsonb language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb $$;
create or replace function auth.uid() returns uuid language sql stable as $$ select nullif(auth.jwt() ->> 'sub', '')::uuid $$;
create or replace function auth.role() returns text language sql stable as $$ select auth.jwt() ->> 'role' $$;
create or replace function auth.email() returns text language sql stable as $$ select auth.jwt() ->> 'email' $$;
grant usage on schema auth to anon, authenticated, service_role, hosted_postgres;
grant select, insert, update, delete, references on auth.users to hosted_postgres;
grant usage on schema extensions to anon, authenticated, service_role, hosted_postgres;
grant usage, create on schema public to hosted_postgres with grant option;
grant usage on schema public to anon, authenticated, service_role;
do $$ begin execute format('grant create on database %I to hosted_postgres', current_database()); end $$;
do $$ begin
  if not exists (select 1 from pg_publication where pubname = 'supabase_realtime') then create publication supabase_realtime; end if;
end $$;
create or replace function extensions.pgrst_ddl_watch() returns event_trigger language plpgsql as $$
begin notify pgrst, 'reload schema'; end $$;
drop event trigger if exists pgrst_ddl_watch;
create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.pgrst_ddl_watch();
