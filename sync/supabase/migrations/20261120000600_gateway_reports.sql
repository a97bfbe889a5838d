-- What a box tells: results of scheduled messages, opt-outs, heartbeats (gw_report_v1) and inbound messages (gw_inbound_v1).

-- How far a status is from the start; an event moves a row only upwards.
create function private.status_rank(status text) returns integer
language sql immutable set search_path = '' as $$
  select case status
    when 'scheduled' then 0 when 'queued' then 1 when 'claimed' then 10 when 'sending' then 20 when 'cancelled' then 30
    when 'unknown' then 40 when 'failed' then 50 when 'expired' then 50 when 'suppressed' then 50
    when 'sent' then 60 when 'undelivered' then 70 when 'delivered' then 80 else -1 end
$$;

-- A field of an event as a time; "now" where it is absent.
create function private.event_time(item jsonb, name text, fallback timestamptz) returns timestamptz
language sql immutable set search_path = '' as $$
  select coalesce(nullif(item ->> name, '')::timestamptz, fallback)
$$;

-- The status that an event's kind leads to; null for kinds that lead to none.
create function private.status_of(kind text) returns text
language sql immutable set search_path = '' as $$
  select case when kind in ('attempt', 'part') then 'sending'
              when kind in ('sent', 'delivered', 'undelivered', 'failed', 'expired', 'cancelled', 'suppressed', 'unknown') then kind end
$$;

create function private.delivery_of(kind text, item jsonb, before text) returns text
language sql immutable set search_path = '' as $$
  select case kind
    when 'delivered' then 'delivered' when 'undelivered' then 'failed' when 'unknown' then 'unknown'
    when 'sent' then case when before in ('delivered', 'failed') then before
                          when item ->> 'delivery_status' in ('none', 'pending', 'unknown') then item ->> 'delivery_status'
                          when (item ->> 'report')::boolean then 'pending' else 'none' end
    else before end
$$;

-- One event of a row in `messages`: made at the first event of a round, then moved forward. Returns its id.
create function private.log_message(me public.gateways, item jsonb, kind text, j public.scheduled_messages) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  m public.messages;
  at timestamptz := private.event_time(item, 'at', now());
  next_status text := private.status_of(kind);
begin
  if j.id is not null then
    insert into public.messages (phone_number, content, status, direction, class, gateway_id, local_id, customer_id,
        scheduled_message_id, claim_epoch, campaign_name, message_hash, "timestamp")
      values (coalesce(item ->> 'phone_number', j.phone_number), coalesce(item ->> 'content', j.message_content), 'queued', 'outbound', j.class,
        me.id, (item ->> 'local_id')::uuid, j.customer_id, j.id, j.claim_epoch, j.campaign_name, item ->> 'message_hash', at)
      on conflict (scheduled_message_id, claim_epoch) where scheduled_message_id is not null do nothing;
    select * into m from public.messages x where x.scheduled_message_id = j.id and x.claim_epoch = j.claim_epoch for update;
  else
    insert into public.messages (phone_number, content, status, direction, class, gateway_id, local_id, campaign_name, message_hash, "timestamp")
      values (item ->> 'phone_number', item ->> 'content', 'queued', 'outbound', coalesce(item ->> 'class', 'transactional'),
        me.id, (item ->> 'local_id')::uuid, item ->> 'campaign_name', item ->> 'message_hash', at)
      on conflict (gateway_id, local_id) where local_id is not null do nothing;
    select * into m from public.messages x where x.gateway_id = me.id and x.local_id = (item ->> 'local_id')::uuid for update;
  end if;
  update public.messages x set
      status = case when private.status_rank(next_status) > private.status_rank(x.status) then next_status else x.status end,
      delivery_status = case when private.status_rank(next_status) >= private.status_rank(x.status)
                             then private.delivery_of(kind, item, x.delivery_status) else x.delivery_status end,
      sent_at = case when kind in ('sent', 'delivered') then coalesce(x.sent_at, private.event_time(item, 'sent_at', at)) else x.sent_at end,
      delivered_at = case when kind = 'delivered' then coalesce(x.delivered_at, at) else x.delivered_at end,
      modem_index = coalesce((item ->> 'modem_index')::integer, x.modem_index),
      iccid = coalesce(item ->> 'iccid', x.iccid),
      part_no = greatest(x.part_no, (item ->> 'part')::integer),
      part_total = coalesce((item ->> 'parts')::integer, x.part_total),
      cost = coalesce((item ->> 'cost')::numeric, x.cost),
      retry_count = greatest(x.retry_count, (item ->> 'retry_count')::integer),
      last_retry_at = case when kind = 'attempt' then at else x.last_retry_at end,
      message_hash = coalesce(x.message_hash, item ->> 'message_hash'),
      reason = case when private.status_rank(next_status) >= private.status_rank(x.status) then item ->> 'reason' else x.reason end,
      error_message = case when private.status_rank(next_status) >= private.status_rank(x.status)
                           then item ->> 'reason_text' else x.error_message end
    where x.id = m.id;
  return m.id;
end
$$;

-- One event of a scheduled message; its verdict.
create function private.apply_job_event(me public.gateways, item jsonb, kind text, j public.scheduled_messages) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  next_status text := private.status_of(kind);
  at timestamptz := private.event_time(item, 'at', now());
  log_id bigint;
begin
  if j.id is null then return 'unknown_job'; end if;
  if j.claimed_by is distinct from me.id or j.claim_epoch is distinct from (item ->> 'epoch')::bigint then return 'stale_epoch'; end if;
  if kind = 'released' then                      -- Ctrl-Z was never written: anybody may take it
    update public.scheduled_messages s set status = 'queued', claimed_by = null, claim_request = null, lease_expires_at = null,
        reason = item ->> 'reason', error_message = item ->> 'reason_text'
      where s.id = j.id and s.status in ('claimed', 'sending');
    return 'applied';
  end if;
  if kind in ('attempt', 'part', 'sent', 'delivered', 'undelivered', 'failed', 'unknown') then
    log_id := private.log_message(me, item, kind, j);
  end if;
  if private.status_rank(next_status) < private.status_rank(j.status) then return 'applied'; end if;   -- older news: kept as event
  if next_status <> j.status and not exists (select 1 from private.transitions t
      where t.by_gateway and t.from_status = j.status and t.to_status = next_status) then
    return 'applied';
  end if;
  update public.scheduled_messages s set
      status = next_status,
      message_id = coalesce(s.message_id, log_id),
      delivery_status = private.delivery_of(kind, item, s.delivery_status),
      actual_send_time = case when kind in ('sent', 'delivered')
                              then coalesce(s.actual_send_time, private.event_time(item, 'sent_at', at)) else s.actual_send_time end,
      reason = item ->> 'reason',
      error_message = item ->> 'reason_text'
    where s.id = j.id;
  return 'applied';
end
$$;

create function private.apply_opt_out(me public.gateways, item jsonb, kind text) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare at timestamptz := private.event_time(item, 'at', now());
begin
  insert into public.opt_outs as o (phone_number, active, reason, source, actor, gateway_id, at)
    values (item ->> 'phone_number', kind = 'opt_out', item ->> 'reason', coalesce(item ->> 'source', 'sms'),
            coalesce(item ->> 'actor', 'gateway:' || me.id), me.id, at)
    on conflict (phone_number) do update
      set active = excluded.active, reason = excluded.reason, source = excluded.source, actor = excluded.actor,
          gateway_id = excluded.gateway_id, at = excluded.at
      where o.at <= excluded.at;
  return 'applied';
end
$$;

-- Every other box learns of an opt-out by command, whoever recorded it.
create function private.spread_opt_out() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' or new.active is distinct from old.active then
    insert into public.gateway_commands (gateway_id, kind, payload)
      select g.id, 'opt_out', jsonb_build_object('phone_number', new.phone_number, 'active', new.active, 'at', new.at,
                                                 'reason', new.reason, 'actor', new.actor)
      from public.gateways g where g.enabled and (private.actor() = '' or g.id <> private.actor()) order by g.id;
  end if;
  return null;
end
$$;
create trigger spread after insert or update on public.opt_outs for each row execute function private.spread_opt_out();

-- One item of gw_report_v1: stored as an event and applied.
create function private.report_item(me public.gateways, item jsonb) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  kind text := item ->> 'kind';
  event uuid := (item ->> 'event_id')::uuid;
  j public.scheduled_messages;
  result text := 'applied';
begin
  if kind = 'heartbeat' then
    update public.gateways g set last_seen_at = now(), heartbeat = item - 'kind' - 'event_id' where g.id = me.id;
    return 'applied';
  end if;
  if event is null then raise exception 'event_id is missing' using errcode = '23502'; end if;
  insert into public.message_events (event_id, gateway_id, job_id, claim_epoch, kind, part, at, detail, verdict)
    values (event, me.id, (item ->> 'job_id')::bigint, (item ->> 'epoch')::bigint, kind, (item ->> 'part')::integer,
            private.event_time(item, 'at', now()), item - 'event_id' - 'job_id' - 'epoch' - 'kind' - 'at' - 'content', 'applied')
    on conflict (event_id) do nothing;
  if not found then return 'duplicate'; end if;
  if kind in ('opt_out', 'opt_in') then
    result := private.apply_opt_out(me, item, kind);
  elsif item ->> 'job_id' is not null then
    select * into j from public.scheduled_messages s where s.id = (item ->> 'job_id')::bigint for update;
    result := private.apply_job_event(me, item, kind, j);
  elsif item ->> 'local_id' is not null then     -- a message of the box's own: logged, no row of scheduled_messages
    perform private.log_message(me, item, kind, null);
  else
    raise exception 'neither job_id nor local_id' using errcode = '23502';
  end if;
  if result <> 'applied' then update public.message_events e set verdict = result where e.event_id = event; end if;
  return result;
end
$$;

create function private.inbound_item(me public.gateways, item jsonb) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  customer text;
begin
  if nullif(item ->> 'local_id', '') is null then raise exception 'local_id is missing' using errcode = '23502'; end if;
  select case when count(*) = 1 then min(c.member_id) end into customer
    from (select member_id from public.customers where phone = item ->> 'phone_number' limit 2) c;
  insert into public.messages (phone_number, content, status, direction, gateway_id, local_id, "timestamp", modem_timestamp, modem_index,
      iccid, message_hash, part_total, customer_id, metadata)
    values (item ->> 'phone_number', coalesce(item ->> 'content', ''), 'unread', 'inbound', me.id, (item ->> 'local_id')::uuid,
      private.event_time(item, 'timestamp', now()), (item ->> 'modem_timestamp')::timestamptz, (item ->> 'modem_index')::integer,
      item ->> 'iccid', item ->> 'message_hash', (item ->> 'parts')::integer, customer, item -> 'metadata')
    on conflict (gateway_id, local_id) where local_id is not null do nothing;
  return case when found then 'applied' else 'duplicate' end;
end
$$;

-- Applies each item in a savepoint of its own, so that a bad one is rejected alone. What is no fault of the item is raised again.
create function private.each_item(me public.gateways, items jsonb, id_name text, inbound boolean) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  item jsonb; verdict text; why text; verdicts jsonb[] := '{}'::jsonb[];
begin
  for item in select jsonb_array_elements(items) loop
    why := null;
    begin
      if inbound then verdict := private.inbound_item(me, item); else verdict := private.report_item(me, item); end if;
    exception when others then
      if left(sqlstate, 2) in ('40', '53', '54', '55', '57', '58', 'XX') or left(sqlstate, 2) = 'P0' and sqlstate <> 'P0001' then raise; end if;
      verdict := 'rejected';
      why := sqlstate || ' ' || sqlerrm;
    end;
    verdicts := verdicts || jsonb_build_object('id', item -> id_name, 'verdict', verdict, 'reason', why);
  end loop;
  return to_jsonb(verdicts);
end
$$;

create function public.gw_report_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  items jsonb := private.items(p, 'items', 500);
  verdicts jsonb;
begin
  perform private.seen(me);
  perform private.act_as(me.id);
  perform private.lock_jobs(items, 'job_id');
  verdicts := private.each_item(me, items, 'event_id', false);
  return jsonb_build_object('verdicts', verdicts, 'server_now', clock_timestamp());
end
$$;

create function public.gw_inbound_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  items jsonb := private.items(p, 'items', 500);
  verdicts jsonb;
begin
  perform private.seen(me);
  perform private.act_as(me.id);
  verdicts := private.each_item(me, items, 'local_id', true);
  return jsonb_build_object('verdicts', verdicts, 'server_now', clock_timestamp());
end
$$;

-- Only boxes reach these: each call starts with my_gateway().
revoke all on all functions in schema private from public;
do $$
declare
  f text;
  has_role boolean := exists (select 1 from pg_catalog.pg_roles where rolname = 'sms_gateway');
begin
  foreach f in array array['gw_hello_v1', 'gw_claim_v1', 'gw_mine_v1', 'gw_begin_v1', 'gw_renew_v1', 'gw_report_v1', 'gw_commands_v1',
                           'gw_ack_v1', 'gw_inbound_v1'] loop
    execute format('revoke all on function public.%I(jsonb) from public, anon', f);
    execute format('grant execute on function public.%I(jsonb) to authenticated', f);
    if has_role then execute format('grant execute on function public.%I(jsonb) to sms_gateway', f); end if;
  end loop;
end
$$;
