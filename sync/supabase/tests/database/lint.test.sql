-- plpgsql_check over every function: what `supabase db lint` looks at. Skipped where the extension is not installed.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();
do $$ begin
  if exists (select 1 from pg_available_extensions where name = 'plpgsql_check') then create extension if not exists plpgsql_check with schema extensions; end if;
end $$;
create function pg_temp.findings() returns setof text language plpgsql as $$
begin
  if not exists (select 1 from pg_extension where extname = 'plpgsql_check') then return; end if;
  return query execute $q$
    select p.oid::regprocedure || ': ' || c from pg_proc p join pg_language l on l.oid = p.prolang
      left join pg_trigger t on t.tgfoid = p.oid and not t.tgisinternal,
      lateral plpgsql_check_function(p.oid, coalesce(t.tgrelid, 0), security_warnings => true, oldtable => t.tgoldtable, newtable => t.tgnewtable) c
    where l.lanname = 'plpgsql' and p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and (t.oid is not null or p.prorettype <> 'trigger'::regtype)$q$;
end $$;
select is_empty('select * from pg_temp.findings()', 'plpgsql_check finds nothing');
select * from finish();
rollback;
