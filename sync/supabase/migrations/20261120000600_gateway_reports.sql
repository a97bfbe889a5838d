-- What a box tells: results of scheduled messages, opt-outs, heartbeats (gw_report_v1) and inbound messages (gw_inbound_v1).

-- How far a status is from the start; an event moves a row only upwards.
create function private.status_rank(status text) returns integer
language plpgsql immutable set search_path = '' as $$
begin
  return case status
    when 'scheduled' then 0 when 'queued' then 1 when 'claimed' then 10 when 'sending' then 20 when 'cancelled' then 30
    when 'unknown' then 40 when 'failed' then 50 when 'expired' then 50 when 'suppressed' then 50
    when 'sent' then 60 when 'undelivered' then 70 when 'delivered' then 80 else -1 end;
end
$$;

-- The delivery_status that an event leads to.
create function private.delivery_of(kind text, item jsonb, before text) returns text
language plpgsql immutable set search_path = '' as $$
begin
  return case kind
    when 'delivered' then 'delivered' when 'undelivered' then 'failed' when 'unknown' then 'unknown'
    when 'sent' then case when before in ('delivered', 'failed') then before
                          when item ->> 'delivery_status' in ('none', 'pending', 'unknown') then item ->> 'delivery_status'
                          when (item ->> 'report')::boolean then 'pending' else 'none' end
    else before end;
end
$$;

-- One event of a row in `messages`: made at the first event of a round, then moved forward. Returns its id.
create function private.log_message(me public.gateways, item jsonb, kind text, next_status text, next_rank integer, at timestamptz,
                                    j public.scheduled_messages) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  m public.messages;
  fresh boolean;
  before integer;
begin
  if j.id is not null then
    select * into m from public.messages x where x.scheduled_message_id = j.id and x.claim_epoch = j.claim_epoch for update;
    if m.id is null and item ->> 'local_id' is not null then   -- the box kept its message, and claimed the row again
      select * into m from public.messages x
        where x.gateway_id = me.id and x.local_id = (item ->> 'local_id')::uuid and x.scheduled_message_id = j.id for update;
      m.claim_epoch := j.claim_epoch;
    end if;
  else
    select * into m from public.messages x where x.gateway_id = me.id and x.local_id = (item ->> 'local_id')::uuid for update;
  end if;
  fresh := m.id is null;
  if fresh then
    m.id := nextval('public.messages_id_seq');
    m.phone_number := coalesce(item ->> 'phone_number', j.phone_number);
    m.content := coalesce(item ->> 'content', j.message_content);
    m.status := 'queued'; m.direction := 'outbound'; m.delivery_status := 'none'; m.retry_count := 0;
    m.class := coalesce(j.class, item ->> 'class', 'transactional');
    m.gateway_id := me.id; m.local_id := (item ->> 'local_id')::uuid;
    m.customer_id := j.customer_id; m.scheduled_message_id := j.id; m.claim_epoch := j.claim_epoch;
    m.campaign_name := coalesce(j.campaign_name, item ->> 'campaign_name');
    m."timestamp" := at; m.created_at := now(); m.updated_at := now();
  end if;
  before := private.status_rank(m.status);
  if next_rank > before then m.status := next_status; end if;
  if next_rank >= before then
    m.delivery_status := private.delivery_of(kind, item, m.delivery_status);
    m.reason := item ->> 'reason';
    m.error_message := item ->> 'reason_text';
  end if;
  if kind in ('sent', 'delivered') then m.sent_at := coalesce(m.sent_at, (item ->> 'sent_at')::timestamptz, at); end if;
  if kind = 'delivered' then m.delivered_at := coalesce(m.delivered_at, at); end if;
  if kind = 'attempt' then m.last_retry_at := at; end if;
  m.modem_index := coalesce((item ->> 'modem_index')::integer, m.modem_index);
  m.iccid := coalesce(item ->> 'iccid', m.iccid);
  m.part_no := greatest(m.part_no, (item ->> 'part')::integer);
  m.part_total := coalesce((item ->> 'parts')::integer, m.part_total);
  m.cost := coalesce((item ->> 'cost')::numeric, m.cost);
  m.retry_count := greatest(m.retry_count, (item ->> 'retry_count')::integer);
  m.message_hash := coalesce(m.message_hash, item ->> 'message_hash');
  if fresh then
    insert into public.messages select m.*;
  else
    update public.messages x set
        claim_epoch = m.claim_epoch, status = m.status, delivery_status = m.delivery_status, reason = m.reason, error_message = m.error_message, sent_at = m.sent_at,
        delivered_at = m.delivered_at, last_retry_at = m.last_retry_at, modem_index = m.modem_index, iccid = m.iccid, part_no = m.part_no,
        part_total = m.part_total, cost = m.cost, retry_count = m.retry_count, message_hash = m.message_hash
      where x.id = m.id;
  end if;
  return m.id;
end
$$;

-- One event of a scheduled message; its verdict.
create function private.apply_job_event(me public.gateways, item jsonb, kind text, next_status text, next_rank integer, at timestamptz,
                                        j public.scheduled_messages) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  log_id bigint;
  sent_time timestamptz := case when kind in ('sent', 'delivered') then coalesce((item ->> 'sent_at')::timestamptz, at) end;
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
    log_id := private.log_message(me, item, kind, next_status, next_rank, at, j);
  end if;
  if next_rank < private.status_rank(j.status) then return 'applied'; end if;   -- older news: kept as event
  if next_status <> j.status and not exists (select 1 from private.transitions t
      where t.by_gateway and t.from_status = j.status and t.to_status = next_status) then
    return 'applied';
  end if;
  update public.scheduled_messages s set
      status = next_status,
      message_id = coalesce(j.message_id, log_id),
      delivery_status = private.delivery_of(kind, item, j.delivery_status),
      actual_send_time = coalesce(j.actual_send_time, sent_time),
      reason = item ->> 'reason',
      error_message = item ->> 'reason_text'
    where s.id = j.id;
  return 'applied';
end
$$;

create function private.apply_opt_out(me public.gateways, item jsonb, kind text, at timestamptz) returns text
language plpgsql volatile security definer set search_path = '' as $$
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
  at timestamptz := coalesce((item ->> 'at')::timestamptz, now());
  job bigint := (item ->> 'job_id')::bigint;
  -- The status that the kind leads to; null for kinds that lead to none.
  next_status text := case when kind in ('attempt', 'part') then 'sending'
    when kind in ('sent', 'delivered', 'undelivered', 'failed', 'expired', 'cancelled', 'suppressed', 'unknown') then kind end;
  next_rank integer := private.status_rank(next_status);
  j public.scheduled_messages;
  result text := 'applied';
begin
  if kind = 'heartbeat' then
    update public.gateways g set last_seen_at = now(), heartbeat = item - 'kind' - 'event_id' where g.id = me.id;
    return 'applied';
  end if;
  if event is null then raise exception 'event_id is missing' using errcode = '23502'; end if;
  insert into public.message_events (event_id, gateway_id, job_id, claim_epoch, kind, part, at, detail, verdict)
    values (event, me.id, job, (item ->> 'epoch')::bigint, kind, (item ->> 'part')::integer, at,
            item - array['event_id', 'job_id', 'epoch', 'kind', 'at', 'content'], 'applied')
    on conflict (event_id) do nothing;
  if not found then return 'duplicate'; end if;
  if kind in ('opt_out', 'opt_in') then
    result := private.apply_opt_out(me, item, kind, at);
  elsif job is not null then
    select * into j from public.scheduled_messages s where s.id = job for update;
    result := private.apply_job_event(me, item, kind, next_status, next_rank, at, j);
  elsif item ->> 'local_id' is not null then     -- a message of the box's own: logged, no row of scheduled_messages
    perform private.log_message(me, item, kind, next_status, next_rank, at, null);
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
      coalesce((item ->> 'timestamp')::timestamptz, now()), (item ->> 'modem_timestamp')::timestamptz, (item ->> 'modem_index')::integer,
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
