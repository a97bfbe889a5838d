-- The doorbell: a message without content on a private Realtime channel tells boxes to look at once. It may be lost: boxes poll as well.
-- Without Realtime (a plain PostgreSQL) it stays silent.

-- Rings a channel. realtime.send writes within this transaction, so that nobody is told of what is rolled back.
create function private.ring(topic text) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  if to_regprocedure('realtime.send(jsonb, text, text, boolean)') is null then return; end if;
  execute 'select realtime.send($1, $2, $3, true)' using '{}'::jsonb, 'doorbell', topic;
exception when insufficient_privilege or undefined_table then
  raise warning 'doorbell: %', sqlerrm;   -- the row matters, the doorbell does not
end
$$;

-- Once a statement and pool, for rows that a box may take now or within the quarter of an hour; the poll finds what is due later.
create function private.ring_new() returns trigger
language plpgsql security definer set search_path = '' as $$
declare p text;
begin
  for p in select distinct n.pool from new_rows n
           where n.status in ('scheduled', 'queued') and n.scheduled_send_time <= now() + interval '15 minutes' loop
    perform private.ring('gw-pool:' || p);
  end loop;
  return null;
end
$$;
-- Nothing is known of how large a statement's rows are, and a nested loop over them is quadratic.
create function private.ring_changed() returns trigger
language plpgsql security definer set search_path = '' set enable_nestloop = off as $$
declare p text;
begin
  for p in select distinct n.pool from new_rows n join old_rows o using (id)
           where n.status in ('scheduled', 'queued') and n.scheduled_send_time <= now() + interval '15 minutes'
             and (o.status not in ('scheduled', 'queued') or n.scheduled_send_time < o.scheduled_send_time or n.pool <> o.pool) loop
    perform private.ring('gw-pool:' || p);
  end loop;
  return null;
end
$$;
create trigger ring_inserted after insert on public.scheduled_messages
  referencing new table as new_rows for each statement execute function private.ring_new();
create trigger ring_updated after update on public.scheduled_messages
  referencing new table as new_rows old table as old_rows for each statement execute function private.ring_changed();

-- A command rings the box that it is for.
create function private.ring_boxes() returns trigger
language plpgsql security definer set search_path = '' as $$
declare box text;
begin
  for box in select distinct n.gateway_id from new_rows n loop
    perform private.ring('gw-box:' || box);
  end loop;
  return null;
end
$$;
create trigger ring after insert on public.gateway_commands
  referencing new table as new_rows for each statement execute function private.ring_boxes();

-- Who may listen: a box on its own channel and on that of its pool.
create function private.may_listen(topic text) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select 1 from public.gateways g
                 where g.auth_user_id = nullif(private.jwt() ->> 'sub', '')::uuid and g.enabled
                   and topic in ('gw-box:' || g.id, 'gw-pool:' || g.pool))
$$;

-- The one thing that Realtime lets a project change on its table. Repeated by hand where the migration had no right to.
create function private.open_doorbell() returns void
language plpgsql volatile set search_path = '' as $$
begin
  if to_regclass('realtime.messages') is null then
    raise warning 'doorbell: no Realtime here, boxes poll';
    return;
  end if;
  execute 'drop policy if exists gateways_listen on realtime.messages';
  execute $p$create policy gateways_listen on realtime.messages for select to authenticated
    using (extension = 'broadcast' and (select private.may_listen((select realtime.topic()))))$p$;
end
$$;
do $$
begin
  perform private.open_doorbell();
exception when insufficient_privilege then
  raise warning 'doorbell: this role may not write policies on realtime.messages; run "select private.open_doorbell()" as one that may. Boxes poll until then.';
end
$$;

-- With the channels to listen on.
create or replace function public.gw_hello_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  wanted text := nullif(p ->> 'instance', '');
  fenced boolean := false;
  meta public.gw_meta;
begin
  select * into me from public.gateways g where g.id = me.id for no key update;
  if wanted is not null and wanted is distinct from me.instance then
    insert into public.gateway_instances (gateway_id, instance) values (me.id, wanted) on conflict do nothing;
    fenced := not found;                        -- known, and replaced by a newer one since
    if not fenced then me.instance := wanted; end if;
  end if;
  update public.gateways g set instance = me.instance, last_seen_at = now(),
      version = case when fenced then g.version else coalesce(p ->> 'version', g.version) end,
      protocol = case when fenced then g.protocol else coalesce((p ->> 'protocol')::integer, g.protocol) end
    where g.id = me.id;
  select * into meta from public.gw_meta;
  return jsonb_build_object(
    'gateway_id', me.id, 'pool', me.pool, 'generation', meta.generation,
    'protocol_min', meta.protocol_min, 'protocol_max', meta.protocol_max, 'max_inflight', me.max_inflight,
    'alone', private.is_alone(me), 'fenced', fenced,
    'topics', jsonb_build_array('gw-box:' || me.id, 'gw-pool:' || me.pool), 'server_now', clock_timestamp());
end
$$;

revoke all on all functions in schema private from public;
grant execute on function private.may_listen(text) to authenticated;
