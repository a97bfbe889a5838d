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
-- Realtime's table as far as the project sees it. What is inserted is notified: tests/support/supabase/realtime.mjs passes it on.
create table if not exists realtime.messages (
  id uuid not null default gen_random_uuid(), topic text not null, extension text not null, payload jsonb, event text,
  private boolean default false, inserted_at timestamp not null default now(), updated_at timestamp not null default now());
alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
create or replace function realtime.topic() returns text language sql stable as $$
  select nullif(current_setting('realtime.topic', true), '')::text $$;
create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language plpgsql as $$
begin
  insert into realtime.messages (payload, event, topic, private, extension)
    values (payload || jsonb_build_object('id', gen_random_uuid()), event, topic, private, 'broadcast');
exception when others then raise warning 'ErrorSendingBroadcastMessage: %', sqlerrm;
end $$;
create or replace function realtime.pass_on() returns trigger language plpgsql security definer as $$
begin
  perform pg_notify('realtime', jsonb_build_object('topic', new.topic, 'event', new.event, 'payload', new.payload, 'private', new.private)::text);
  return null;
end $$;
drop trigger if exists pass_on on realtime.messages;
create trigger pass_on after insert on realtime.messages for each row execute function realtime.pass_on();
grant usage on schema realtime to anon, authenticated, service_role, hosted_postgres;
grant select, insert on realtime.messages to anon, authenticated, service_role, hosted_postgres;
grant usage on schema extensions to anon, authenticated, service_role, hosted_postgres;
grant usage, create on schema public to hosted_postgres with grant option;
grant usage on schema public to anon, authenticated, service_role;
-- Projects made before November 2026 grant everything in "public" by default: what a migration does not revoke is open there.
alter default privileges for role hosted_postgres in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges for role hosted_postgres in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges for role hosted_postgres in schema public grant all on sequences to anon, authenticated, service_role;
do $$ begin execute format('grant create on database %I to hosted_postgres', current_database()); end $$;
do $$ begin
  if not exists (select 1 from pg_publication where pubname = 'supabase_realtime') then create publication supabase_realtime; end if;
end $$;
create or replace function extensions.pgrst_ddl_watch() returns event_trigger language plpgsql as $$
begin notify pgrst, 'reload schema'; end $$;
drop event trigger if exists pgrst_ddl_watch;
create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.pgrst_ddl_watch();
