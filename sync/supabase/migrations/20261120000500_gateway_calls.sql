-- The calls of a box: hello, claim, mine, begin, renew, commands, ack (API.md has requests and answers).

-- The box that calls, or an error: 403 for anybody else, at once after enabled = false.
create function private.my_gateway() returns public.gateways
language plpgsql stable security definer set search_path = '' as $$
declare
  claims jsonb := private.jwt();
  me public.gateways;
begin
  if claims ->> 'role' = 'sms_gateway' then     -- minted token of the optional role
    select * into me from public.gateways g where g.id = claims ->> 'gateway_id';
  else
    select * into me from public.gateways g where g.auth_user_id = nullif(claims ->> 'sub', '')::uuid;
  end if;
  if me.id is null or not me.enabled then
    raise sqlstate 'PT403' using message = 'this user is no enabled gateway';
  end if;
  return me;
end
$$;

-- True when the request names an instance that a newer one has replaced.
create function private.is_fenced(me public.gateways, p jsonb) returns boolean
language sql immutable set search_path = '' as $$
  select coalesce(me.instance <> p ->> 'instance', false)
$$;

-- No other enabled box shares the pool: rows are pinned to this one.
create function private.is_alone(me public.gateways) returns boolean
language sql stable security definer set search_path = '' as $$
  select not exists (select 1 from public.gateways g where g.pool = me.pool and g.enabled and g.id <> me.id)
$$;

create function private.act_as(who text) returns void
language sql volatile set search_path = '' as $$
  select pg_catalog.set_config('conductor.actor', who, true)
$$;

create function private.seen(me public.gateways) returns void
language sql volatile security definer set search_path = '' as $$
  update public.gateways set last_seen_at = now()
  where id = me.id and (last_seen_at is null or last_seen_at < now() - interval '30 seconds')
$$;

-- A number of the request within limits, or the default where it is absent.
create function private.bounded(value jsonb, fallback numeric, least_value numeric, most numeric) returns numeric
language sql immutable set search_path = '' as $$
  select case when jsonb_typeof(value) = 'number' then least(greatest((value #>> '{}')::numeric, least_value), most) else fallback end
$$;

-- A request's array, refused with 400 or 413 where it is none or too long.
create function private.items(p jsonb, name text, most integer) returns jsonb
language plpgsql immutable set search_path = '' as $$
begin
  if jsonb_typeof(p -> name) is distinct from 'array' then
    raise sqlstate 'PT400' using message = format('"%s" must be an array', name);
  elsif jsonb_array_length(p -> name) > most then
    raise sqlstate 'PT413' using message = format('"%s" holds more than %s items', name, most);
  end if;
  return p -> name;
end
$$;

create function private.is_opted_out(number text) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select 1 from public.opt_outs o where o.phone_number = number and o.active)
$$;

-- A row as the box gets it.
create function private.job_json(j public.scheduled_messages, alone boolean) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', j.id, 'epoch', j.claim_epoch, 'revision', j.revision, 'status', j.status,
    'phone_number', j.phone_number, 'content', j.message_content, 'class', j.class, 'priority', j.priority,
    'send_at', j.scheduled_send_time, 'expires_at', j.expires_at, 'lease_expires_at', j.lease_expires_at,
    'offline_ok', j.offline_ok or alone, 'on_unknown', j.on_unknown, 'campaign_name', j.campaign_name,
    'cancel_requested', j.cancel_requested_at is not null,
    'consent', exists (select 1 from public.consents c
                       where c.phone_number = j.phone_number and c.class = j.class and c.revoked_at is null),
    'opted_out', private.is_opted_out(j.phone_number))
$$;

create function public.gw_hello_v1(p jsonb default '{}') returns jsonb
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
    'alone', private.is_alone(me), 'fenced', fenced, 'server_now', clock_timestamp());
end
$$;

-- Rows whose time is over: leases back to the queue, what was being sent to unknown, the rest to expired. Bounded.
create function private.reap(in_pool text, most integer) returns integer
language plpgsql volatile security definer set search_path = '' as $$
declare n integer; total integer := 0;
begin
  perform private.act_as('reaper');
  with c as (select id from public.scheduled_messages where pool = in_pool and status in ('claimed', 'sending') and lease_expires_at < now()
             order by lease_expires_at limit most for update skip locked)
  update public.scheduled_messages j set
      status = case when j.status = 'sending' and j.on_unknown is distinct from 'resend' then 'unknown' else 'queued' end,
      delivery_status = case when j.status = 'sending' and j.on_unknown is distinct from 'resend' then 'unknown' else j.delivery_status end,
      reason = case when j.status = 'sending' then 'lease-over' else j.reason end,
      claim_request = null, lease_expires_at = null
    from c where j.id = c.id;
  get diagnostics n = row_count;
  total := total + n;
  with c as (select id from public.scheduled_messages where pool = in_pool and status in ('scheduled', 'queued') and expires_at is not null
               and expires_at <= now() order by expires_at limit most for update skip locked)
  update public.scheduled_messages j set status = 'expired', reason = 'expired',
      error_message = 'The time in which it could be sent is over; schedule it again if it still matters.'
    from c where j.id = c.id;
  get diagnostics n = row_count;
  return total + n;
end
$$;

create function public.gw_claim_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  request text := coalesce(nullif(p ->> 'request_id', ''), gen_random_uuid()::text);
  alone boolean := private.is_alone(me);
  most integer := private.bounded(p -> 'limit', 20, 0, case when alone then 500 else 20 end);
  horizon interval := make_interval(secs => private.bounded(p -> 'horizon_s', case when alone then 345600 else 300 end, 0,
                                                            case when alone then 604800 else 3600 end)::double precision);
  lease interval := make_interval(secs => private.bounded(p -> 'lease_s', case when alone then 86400 else 600 end, 10,
                                                          case when alone then 604800 else 3600 end)::double precision);
  held integer;
  jobs jsonb;
begin
  if length(request) > 128 then raise sqlstate 'PT400' using message = '"request_id" is too long'; end if;
  if private.is_fenced(me, p) then
    return jsonb_build_object('fenced', true, 'alone', alone, 'jobs', '[]'::jsonb, 'server_now', clock_timestamp());
  end if;
  perform private.seen(me);
  select * into me from public.gateways g where g.id = me.id for no key update;   -- claims of one box wait for each other
  if not exists (select 1 from public.scheduled_messages
                 where claimed_by = me.id and claim_request = request and status in ('claimed', 'sending')) then
    perform private.reap(me.pool, 200);
    perform private.act_as(me.id);
    select count(*) into held from public.scheduled_messages where claimed_by = me.id and status in ('claimed', 'sending');
    most := least(most, me.max_inflight - held);
    if most > 0 then
      with c as (select id from public.scheduled_messages
                 where pool = me.pool and status = 'scheduled' and scheduled_send_time <= now() + horizon
                 order by scheduled_send_time limit greatest(100, 2 * most) for update skip locked)
      update public.scheduled_messages j set status = 'queued' from c where j.id = c.id;
      with c as (select id from public.scheduled_messages
                 where pool = me.pool and status = 'queued' and (gateway_id is null or gateway_id = me.id)
                   and scheduled_send_time <= now() + horizon and (expires_at is null or expires_at > now())
                 order by priority desc, scheduled_send_time, id limit most for update skip locked)
      update public.scheduled_messages j set status = 'claimed', claimed_by = me.id, claim_epoch = j.claim_epoch + 1,
          claim_request = request, reason = null, error_message = null,
          lease_expires_at = greatest(j.scheduled_send_time, now()) + lease
        from c where j.id = c.id;
    end if;
  end if;
  select coalesce(jsonb_agg(private.job_json(j, alone) order by j.priority desc, j.scheduled_send_time, j.id), '[]') into jobs
    from public.scheduled_messages j where j.claimed_by = me.id and j.claim_request = request and j.status in ('claimed', 'sending');
  return jsonb_build_object('fenced', false, 'alone', alone, 'jobs', jobs, 'server_now', clock_timestamp());
end
$$;

create function public.gw_mine_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  alone boolean := private.is_alone(me);
  after_id bigint := private.bounded(p -> 'after', 0, 0, 9e18);
  most integer := private.bounded(p -> 'limit', 500, 1, 1000);
  jobs jsonb := '[]'::jsonb;
begin
  perform private.seen(me);
  if not private.is_fenced(me, p) then
    select coalesce(jsonb_agg(private.job_json(j, alone) order by j.id), '[]') into jobs from (
      select * from public.scheduled_messages s
      where s.claimed_by = me.id and s.status in ('claimed', 'sending') and s.id > after_id order by s.id limit most) j;
  end if;
  return jsonb_build_object('fenced', private.is_fenced(me, p), 'alone', alone, 'jobs', jobs, 'server_now', clock_timestamp(),
    'next', case when jsonb_array_length(jobs) = most then jobs -> -1 -> 'id' end);
end
$$;

-- Why a row may not be sent or kept by this box; null when it may.
create function private.refusal(j public.scheduled_messages, me public.gateways, epoch bigint) returns text
language sql stable security definer set search_path = '' as $$
  select case
    when j.id is null then 'not-found'
    when j.claimed_by is distinct from me.id or j.claim_epoch <> epoch then 'stale-epoch'
    when j.status = 'cancelled' then 'cancelled'
    when j.status not in ('claimed', 'sending') then case when j.status in ('queued', 'unknown') then 'lease' else 'state' end
    when j.lease_expires_at < clock_timestamp() then 'lease' end
$$;

-- Locks the rows that a request names, in the order of their ids, so that two calls never wait for each other in a circle.
create function private.lock_jobs(items jsonb, name text) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform 1 from public.scheduled_messages
    where id = any (select (i ->> name)::bigint from jsonb_array_elements(items) i where i ->> name ~ '^[0-9]{1,18}$')
    order by id for update;
end
$$;

create function public.gw_begin_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  items jsonb := private.items(p, 'jobs', 500);
  item jsonb; j public.scheduled_messages; why text; answers jsonb := '[]'::jsonb;
begin
  perform private.seen(me);
  perform private.act_as(me.id);
  perform private.lock_jobs(items, 'id');
  for item in select jsonb_array_elements(items) loop
    j := null;
    if private.is_fenced(me, p) then
      why := 'fenced';
    else
      select * into j from public.scheduled_messages s where s.id = (item ->> 'id')::bigint;
      why := private.refusal(j, me, coalesce((item ->> 'epoch')::bigint, -1));
    end if;
    if why is null and j.status = 'claimed' then            -- 'sending' already: the answer was lost, it stands
      why := case
        when j.revision is distinct from (item ->> 'revision')::integer then 'edited'
        when j.cancel_requested_at is not null then 'cancelled'
        when j.expires_at <= clock_timestamp() then 'expired'
        when j.class <> 'reply' and private.is_opted_out(coalesce(item ->> 'phone_number', j.phone_number)) then 'opted-out' end;
      if why is null then
        update public.scheduled_messages s set status = 'sending' where s.id = j.id;
      end if;
    end if;
    answers := answers || jsonb_build_object('id', item -> 'id', 'go', why is null, 'reason', why, 'revision', j.revision);
  end loop;
  return jsonb_build_object('jobs', answers, 'server_now', clock_timestamp());
end
$$;

create function public.gw_renew_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  alone boolean := private.is_alone(me);
  lease interval := make_interval(secs => private.bounded(p -> 'lease_s', case when alone then 86400 else 600 end, 10,
                                                          case when alone then 604800 else 3600 end)::double precision);
  items jsonb := private.items(p, 'jobs', 1000);
  item jsonb; j public.scheduled_messages; why text; answers jsonb := '[]'::jsonb;
begin
  perform private.seen(me);
  perform private.act_as(me.id);
  perform private.lock_jobs(items, 'id');
  for item in select jsonb_array_elements(items) loop
    j := null;
    if private.is_fenced(me, p) then
      why := 'fenced';
    else
      select * into j from public.scheduled_messages s where s.id = (item ->> 'id')::bigint;
      why := private.refusal(j, me, coalesce((item ->> 'epoch')::bigint, -1));
    end if;
    if why is null then
      update public.scheduled_messages s
        set lease_expires_at = greatest(s.lease_expires_at, greatest(s.scheduled_send_time, clock_timestamp()) + lease)
        where s.id = j.id returning s.lease_expires_at into j.lease_expires_at;
    end if;
    answers := answers || jsonb_build_object('id', item -> 'id', 'held', why is null, 'reason', why, 'revision', j.revision,
      'cancel_requested', j.cancel_requested_at is not null,
      'lease_expires_at', case when why is null then j.lease_expires_at end);
  end loop;
  return jsonb_build_object('jobs', answers, 'server_now', clock_timestamp());
end
$$;

create function public.gw_commands_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  most integer := private.bounded(p -> 'limit', 100, 1, 500);
  found_commands jsonb;
begin
  perform private.seen(me);
  select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'kind', c.kind, 'job_id', c.job_id, 'epoch', c.claim_epoch,
                                               'payload', c.payload, 'created_at', c.created_at) order by c.id), '[]')
    into found_commands
    from (select * from public.gateway_commands g where g.gateway_id = me.id and g.acked_at is null order by g.id limit most) c;
  return jsonb_build_object('fenced', private.is_fenced(me, p), 'commands', found_commands, 'server_now', clock_timestamp());
end
$$;

create function public.gw_ack_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  items jsonb := private.items(p, 'ids', 1000);
  n integer;
begin
  update public.gateway_commands c set acked_at = now()
    where c.gateway_id = me.id and c.acked_at is null
      and c.id in (select i::text::bigint from jsonb_array_elements(items) i where jsonb_typeof(i) = 'number');
  get diagnostics n = row_count;
  return jsonb_build_object('acked', n, 'server_now', clock_timestamp());
end
$$;
