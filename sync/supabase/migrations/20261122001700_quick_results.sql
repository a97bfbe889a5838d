-- Results are applied by sets, not one by one; queued is what is due, what is released for later is scheduled again; and marks and variables
-- are seen however they are written.

-- Results ------------------------------------------------------------------------------------------------------------------------------
-- What a box does to a row it need not be told of: known before the trigger is called, which every claim, go and result paid for.
drop trigger tell_gateway on public.scheduled_messages;
create trigger tell_gateway after update on public.scheduled_messages
  for each row when (old.status in ('claimed', 'sending') and old.claimed_by is not null
    and coalesce(pg_catalog.current_setting('conductor.actor', true), '') = ''
    and (new.status, new.revision, new.cancel_requested_at) is distinct from (old.status, old.revision, old.cancel_requested_at))
  execute function private.scheduled_after();

-- One item of gw_report_v1, read once.
create type private.report_entry as (
  n integer,                                     -- its place in the call
  item jsonb, event uuid, kind text, at timestamptz,
  job bigint, epoch bigint, local_id uuid,
  next_status text, next_rank integer,           -- that the kind leads to
  verdict text,
  round integer                                  -- those of one message follow each other
);

-- Items that are about what their message is at, in sets: the first of every message, then the second of those that have one, and so on.
-- Says for each what log_message and apply_job_event say, which stay the word on every single item. The rows of the items are locked.
create function private.apply_entries(me public.gateways, entries private.report_entry[]) returns void
language plpgsql volatile security definer set search_path = '' set join_collapse_limit = 1 set from_collapse_limit = 1 as $$
declare r integer;
begin
  for r in select distinct e.round from unnest(entries) e order by 1 loop
    with x as materialized (
      select e.*, j.claim_epoch, j.phone_number, j.message_content, j.class, j.customer_id, j.campaign_name,
             e.job is null or e.kind not in ('expired', 'suppressed') as logged, coalesce(a.id, b.id) as known_id,
             case when (e.job is null or e.kind not in ('expired', 'suppressed')) then coalesce(a.id, b.id, nextval('public.messages_id_seq')) end as log_id,
             case when e.kind in ('sent', 'delivered') then coalesce((e.item ->> 'sent_at')::timestamptz, e.at) end as sent_time
      from unnest(entries) e
      left join public.scheduled_messages j on j.id = e.job
      left join public.messages a on a.scheduled_message_id = j.id and a.claim_epoch = j.claim_epoch
      -- a message of the box's own; or the box kept its message, and claimed the row again
      left join public.messages b on a.id is null and b.gateway_id = me.id and b.local_id = e.local_id
        and (e.job is null or b.scheduled_message_id = e.job)
      where e.round = r),
    changed as (
      update public.messages m set
        claim_epoch = coalesce(x.claim_epoch, m.claim_epoch),
        status = case when x.next_rank > private.status_rank(m.status) then x.next_status else m.status end,
        delivery_status = case when x.next_rank >= private.status_rank(m.status) then private.delivery_of(x.kind, x.item, m.delivery_status)
                               else m.delivery_status end,
        reason = case when x.next_rank >= private.status_rank(m.status) then x.item ->> 'reason' else m.reason end,
        error_message = case when x.next_rank >= private.status_rank(m.status) then x.item ->> 'reason_text' else m.error_message end,
        sent_at = coalesce(m.sent_at, x.sent_time),
        delivered_at = case when x.kind = 'delivered' then coalesce(m.delivered_at, x.at) else m.delivered_at end,
        last_retry_at = case when x.kind = 'attempt' then x.at else m.last_retry_at end,
        modem_index = coalesce((x.item ->> 'modem_index')::integer, m.modem_index),
        iccid = coalesce(x.item ->> 'iccid', m.iccid),
        part_no = greatest(m.part_no, (x.item ->> 'part')::integer),
        part_total = coalesce((x.item ->> 'parts')::integer, m.part_total),
        cost = coalesce((x.item ->> 'cost')::numeric, m.cost),
        retry_count = greatest(m.retry_count, (x.item ->> 'retry_count')::integer),
        message_hash = coalesce(m.message_hash, x.item ->> 'message_hash')
      from x where x.logged and m.id = x.known_id),
    added as (
      insert into public.messages (id, phone_number, content, status, direction, class, delivery_status, sent_at, delivered_at, last_retry_at,
          reason, error_message, modem_index, iccid, part_no, part_total, cost, retry_count, message_hash, gateway_id, local_id, customer_id,
          scheduled_message_id, claim_epoch, campaign_name, "timestamp")
        select x.log_id, coalesce(x.item ->> 'phone_number', x.phone_number), coalesce(x.item ->> 'content', x.message_content), x.next_status,
          'outbound', coalesce(x.class, x.item ->> 'class', 'transactional'), private.delivery_of(x.kind, x.item, 'none'), x.sent_time,
          case when x.kind = 'delivered' then x.at end, case when x.kind = 'attempt' then x.at end, x.item ->> 'reason', x.item ->> 'reason_text',
          (x.item ->> 'modem_index')::integer, x.item ->> 'iccid', (x.item ->> 'part')::integer, (x.item ->> 'parts')::integer,
          (x.item ->> 'cost')::numeric, greatest(0, (x.item ->> 'retry_count')::integer), x.item ->> 'message_hash', me.id, x.local_id, x.customer_id,
          x.job, x.claim_epoch, coalesce(x.campaign_name, x.item ->> 'campaign_name'), x.at
        from x where x.logged and x.known_id is null order by x.n)
    update public.scheduled_messages s set
        status = x.next_status,
        message_id = coalesce(s.message_id, x.log_id),
        delivery_status = private.delivery_of(x.kind, x.item, s.delivery_status),
        actual_send_time = coalesce(s.actual_send_time, x.sent_time),
        reason = x.item ->> 'reason',
        error_message = x.item ->> 'reason_text'
      from x
      where s.id = x.job and x.next_rank >= private.status_rank(s.status)   -- older news: kept as event
        and (x.next_status = s.status or (s.status, x.next_status) in (('sending', 'sent'), ('sent', 'delivered'))
             or exists (select 1 from private.transitions t where t.by_gateway and t.from_status = s.status and t.to_status = x.next_status));
  end loop;
end
$$;

-- The verdicts of a call's items, in their order; null where one depends on another in a way that only their order tells.
create function private.report_items(me public.gateways, items jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set join_collapse_limit = 1 set from_collapse_limit = 1 as $$
declare
  entries private.report_entry[];
  singles integer[];                             -- places of those that are applied one by one
  fresh uuid[];
  place integer;
  verdicts text[];
begin
  entries := array(
    select (i.n, i.item, i.item ->> 'event_id', i.item ->> 'kind', coalesce((i.item ->> 'at')::timestamptz, now()), i.item ->> 'job_id',
            i.item ->> 'epoch', i.item ->> 'local_id', k.status, private.status_rank(k.status), null, null)::private.report_entry
    from jsonb_array_elements(items) with ordinality i (item, n)
    cross join lateral (select case when i.item ->> 'kind' in ('attempt', 'part') then 'sending' else i.item ->> 'kind' end as status) k
    order by i.n);
  -- the same event twice, or one message of the box's for several rows
  if exists (select 1 from unnest(entries) e where e.event is not null group by e.event having count(*) > 1)
     or exists (select 1 from unnest(entries) e where e.local_id is not null group by e.local_id
                having min(coalesce(e.job, 0)) <> max(coalesce(e.job, 0))) then
    return null;
  end if;
  -- What is no news of a message, or whose row lock_jobs passed over; and all else that is about the same message.
  singles := array(
    select x.n from (
      select e.n, bool_or(e.kind is null or e.event is null or coalesce((e.item ->> 'job_id') !~ '^[0-9]{1,18}$', e.local_id is null)
                          or e.kind not in ('attempt', 'part', 'sent', 'delivered', 'undelivered', 'failed', 'expired', 'suppressed', 'unknown'))
                    over (partition by e.job, case when e.job is null then e.local_id end) as single
      from unnest(entries) e) x
    where x.single order by x.n);
  if cardinality(singles) < cardinality(entries) then
    entries := array(
      select (e.n, e.item, e.event, e.kind, e.at, e.job, e.epoch, e.local_id, e.next_status, e.next_rank,
              case when e.n = any (singles) then null when e.job is null then 'applied' when j.id is null then 'unknown_job'
                when j.claimed_by is distinct from me.id or j.claim_epoch is distinct from e.epoch then 'stale_epoch' else 'applied' end,
              null)::private.report_entry
      from unnest(entries) e left join public.scheduled_messages j on j.id = e.job order by e.n);
    with told as (
      insert into public.message_events (event_id, gateway_id, job_id, claim_epoch, kind, part, at, detail, verdict)
        select e.event, me.id, e.job, e.epoch, e.kind, (e.item ->> 'part')::integer, e.at,
               e.item - array['event_id', 'job_id', 'epoch', 'kind', 'at', 'content'], e.verdict
        from unnest(entries) e where e.verdict is not null order by e.n
        on conflict (event_id) do nothing returning event_id)
    select array(select t.event_id from told t) into fresh;
    -- Messages of the box's own are taken after the rows: nothing is said twice of one in the same round.
    entries := array(
      select (e.n, e.item, e.event, e.kind, e.at, e.job, e.epoch, e.local_id, e.next_status, e.next_rank,
              case when e.verdict is not null and not e.event = any (fresh) then 'duplicate' else e.verdict end,
              row_number() over (partition by e.job, case when e.job is null then e.local_id end order by e.n)
                + case when e.job is null then cardinality(entries) else 0 end)::private.report_entry
      from unnest(entries) e order by e.n);
    perform private.apply_entries(me, array(select e from unnest(entries) e where e.verdict = 'applied'));
  end if;
  verdicts := array(select e.verdict from unnest(entries) e order by e.n);
  foreach place in array singles loop
    verdicts[place] := private.report_item(me, items -> place - 1);
  end loop;
  return (select jsonb_agg(jsonb_build_object('id', i.item -> 'event_id', 'verdict', verdicts[i.n], 'reason', null) order by i.n)
          from jsonb_array_elements(items) with ordinality i (item, n));
end
$$;

-- Applies the items in one go. Where one is bad each gets a savepoint of its own, so that it is rejected alone; what is no fault of an item
-- is raised again.
create or replace function private.each_item(me public.gateways, items jsonb, id_name text, inbound boolean) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  item jsonb; verdict text; why text; verdicts jsonb[] := array[]::jsonb[]; in_sets jsonb;
begin
  if items = jsonb_build_array() then return items; end if;
  begin
    if not inbound then in_sets := private.report_items(me, items); end if;
    if in_sets is not null then return in_sets; end if;
    for item in select jsonb_array_elements(items) loop
      if inbound then verdict := private.inbound_item(me, item); else verdict := private.report_item(me, item); end if;
      verdicts := verdicts || jsonb_build_object('id', item -> id_name, 'verdict', verdict, 'reason', null);
    end loop;
    return to_jsonb(verdicts);
  exception when others then
    if left(sqlstate, 2) in ('40', '53', '54', '55', '57', '58', 'XX') or left(sqlstate, 2) = 'P0' and sqlstate <> 'P0001' then raise; end if;
    verdicts := array[]::jsonb[];
  end;
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

-- Locks what the items name, rows before the campaign messages that they flow back to, each in the order of ids.
create or replace function private.lock_jobs(items jsonb, name text) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare ids bigint[]; campaigns bigint[];
begin
  ids := array(select (i ->> name)::bigint from jsonb_array_elements(items) i where i ->> name ~ '^[0-9]{1,18}$');
  if ids = '{}' then return; end if;
  campaigns := array(select s.campaign_message_id from
    (select l.campaign_message_id from public.scheduled_messages l where l.id = any (ids) order by l.id for update) s
    where s.campaign_message_id is not null);
  if campaigns <> '{}' then
    perform 1 from public.campaign_messages c where c.id = any (campaigns) order by c.id for no key update;
  end if;
end
$$;

-- Planned once a session, while a young project's tables may still be empty: by index all the same.
alter function public.gw_report_v1(jsonb) set enable_seqscan = off;
alter function public.gw_report_v1(jsonb) set jit = off;

-- The queue ----------------------------------------------------------------------------------------------------------------------------
-- Queued is what is due. What is released or put off for later is scheduled again, where only its send time finds it: claims would pass over
-- it, best first, until its day. Of what is queued all the same, the send time is known from the index.
insert into private.transitions (by_gateway, from_status, to_status)
  select true, f, 'scheduled' from unnest(array['queued', 'claimed', 'sending', 'unknown']) f;
create or replace function private.apply_job_event(me public.gateways, item jsonb, kind text, next_status text, next_rank integer, at timestamptz,
                                        j public.scheduled_messages) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  log_id bigint;
  sent_time timestamptz := case when kind in ('sent', 'delivered') then coalesce((item ->> 'sent_at')::timestamptz, at) end;
begin
  if j.id is null then return 'unknown_job'; end if;
  if j.claimed_by is distinct from me.id or j.claim_epoch is distinct from (item ->> 'epoch')::bigint then return 'stale_epoch'; end if;
  if kind = 'released' then                      -- Ctrl-Z was never written: anybody may take it
    if private.is_begun_elsewhere(j, item ->> 'instance') then return 'stale_epoch'; end if;   -- not by the one who says so
    update public.scheduled_messages s set
        status = case when s.scheduled_send_time > now() + interval '5 minutes' then 'scheduled' else 'queued' end,
        claimed_by = null, claim_request = null, lease_expires_at = null,
        delivery_status = 'none', reason = item ->> 'reason', error_message = item ->> 'reason_text'
      where s.id = j.id and (s.status in ('claimed', 'sending') or s.status = 'unknown' and s.reason = 'lease-over');
    return 'applied';
  end if;
  if kind = 'cancelled' and j.status = 'unknown' and j.reason = 'lease-over'
     and not private.is_begun_elsewhere(j, coalesce(item ->> 'instance', me.instance))
     and exists (select 1 from public.gateway_commands g where g.gateway_id = me.id and g.kind = 'cancel' and g.job_id = j.id
                 and g.claim_epoch = j.claim_epoch and g.payload ->> 'status' = 'approved') then
    -- the pause reached it before it was sent: it goes on with its campaign
    update public.scheduled_messages s set status = 'approved', reason = 'campaign-paused', claimed_by = null, claim_request = null,
        delivery_status = 'none'
      where s.id = j.id;
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

create or replace function private.scheduled_before() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  by_box boolean := coalesce(pg_catalog.current_setting('conductor.actor', true), '') <> '';
  campaign text;
begin
  if tg_op = 'INSERT' then
    if by_box then return new; end if;
    if new.status in ('queued', 'claimed', 'sending') then
      raise exception 'a new row starts as draft, approved or scheduled, not %', new.status using errcode = '23514';
    end if;
    if new.status = 'scheduled' then
      perform private.check_sendable(new.message_content);
      if new.campaign_name is not null and new.class <> 'reply' then
        select k.status into campaign from public.campaigns k where k.campaign_name = new.campaign_name;
        if campaign = 'cancelled' then raise exception 'the campaign "%" is cancelled', new.campaign_name using errcode = '23514'; end if;
        if campaign = 'paused' then new.status := 'approved'; new.reason := 'campaign-paused'; end if;
      end if;
    end if;
    return new;
  end if;
  new.updated_at := clock_timestamp();
  if new.claim_epoch <> old.claim_epoch then new.begun_instance := null; end if;   -- a new claim is begun by nobody yet
  if new.cancel_requested_at is not null and old.cancel_requested_at is null and not by_box
     and old.status in ('draft', 'approved', 'scheduled', 'queued', 'claimed') and new.status = old.status then
    new.status := 'cancelled';
  end if;
  if not by_box and new.status = 'queued' and old.status = 'queued' and new.scheduled_send_time > now() + interval '5 minutes'
     and new.scheduled_send_time > old.scheduled_send_time then
    new.status := 'scheduled';                   -- put off: no claim passes over it until it is due
  end if;
  if new.status <> old.status then
    if by_box and (old.status, new.status) in (('scheduled', 'queued'), ('queued', 'claimed'), ('claimed', 'sending'), ('sending', 'sent'), ('sent', 'delivered')) then
      null;                                      -- the way of nearly every row, without a look at the table
    elsif not exists (select 1 from private.transitions t
                      where t.by_gateway = by_box and t.from_status = old.status and t.to_status = new.status) then
      raise exception 'status may not go from % to %', old.status, new.status using errcode = '23514';
    end if;
    if by_box then
      if new.status = 'queued' then new.claim_rank := coalesce(new.claim_rank, new.scheduled_send_time); end if;
    elsif new.status = 'cancelled' then
      new.cancel_requested_at := coalesce(new.cancel_requested_at, now());
      new.reason := coalesce(new.reason, 'cancelled');
    elsif new.status = 'scheduled' then          -- a new round: a fresh claim follows
      new.claimed_by := null; new.claim_request := null; new.lease_expires_at := null; new.cancel_requested_at := null;
      new.delivery_status := 'none'; new.actual_send_time := null; new.reason := null; new.error_message := null;
    end if;
  end if;
  if not by_box and new.status in ('scheduled', 'queued', 'claimed')
     and (new.message_content <> old.message_content or old.status not in ('scheduled', 'queued', 'claimed')) then
    perform private.check_sendable(new.message_content);
  end if;
  if (new.phone_number, new.message_content, new.scheduled_send_time, new.expires_at, new.class, new.on_unknown, new.pool, new.gateway_id)
     is distinct from
     (old.phone_number, old.message_content, old.scheduled_send_time, old.expires_at, old.class, old.on_unknown, old.pool, old.gateway_id) then
    new.revision := old.revision + 1;
  end if;
  return new;
end
$$;

drop index public.scheduled_messages_take;
create index scheduled_messages_take on public.scheduled_messages
  (pool, (coalesce(gateway_id, '')), priority desc, claim_rank, id, scheduled_send_time) where status = 'queued';
do $$
begin
  perform private.act_as('reaper');
  update public.scheduled_messages set status = 'scheduled' where status = 'queued' and scheduled_send_time > now() + interval '5 minutes';
  perform private.act_as('');
end
$$;

-- Rows that a pause took back go on, except those that a box which is away may still send: they wait until it has acknowledged the cancel. When
-- the lease is over first, what became of them is unknown until the box tells. A box that was deleted acknowledges nothing any more.
create or replace function private.resume_rows(campaign text) returns integer
language plpgsql volatile security definer set search_path = '' as $$
declare n integer; ids bigint[]; before text := private.actor();
begin
  ids := array(select j.id from public.scheduled_messages j join public.campaigns k on k.campaign_name = j.campaign_name
               where j.status = 'approved' and j.reason = 'campaign-paused' and k.status not in ('paused', 'cancelled')
                 and (campaign is null or k.campaign_name = campaign)
                 and j.pinned and j.claimed_by is not null and j.on_unknown is distinct from 'resend' and coalesce(j.lease_expires_at <= now(), true)
                 and not exists (select 1 from public.gateway_commands g where g.gateway_id = j.claimed_by and g.kind = 'cancel' and g.job_id = j.id
                                 and g.claim_epoch = j.claim_epoch and g.acked_at is not null)
               order by j.id for no key update of j);
  if ids <> '{}' then
    perform private.act_as('reaper');
    update public.scheduled_messages j set status = 'unknown', delivery_status = 'unknown', reason = 'lease-over', claim_request = null,
        lease_expires_at = null
      where j.id = any (ids);
    perform private.act_as(before);
  end if;
  update public.scheduled_messages j set status = 'scheduled'
  from public.campaigns k
  where j.status = 'approved' and j.reason = 'campaign-paused' and k.campaign_name = j.campaign_name
    and k.status not in ('paused', 'cancelled') and (campaign is null or k.campaign_name = campaign)
    and not (j.pinned and j.claimed_by is not null and (j.on_unknown is distinct from 'resend' or coalesce(j.lease_expires_at > now(), false))
             and not exists (select 1 from public.gateway_commands g where g.gateway_id = j.claimed_by and g.kind = 'cancel' and g.job_id = j.id
                             and g.claim_epoch = j.claim_epoch and g.acked_at is not null));
  get diagnostics n = row_count;
  return n;
end
$$;

-- What may be sent -----------------------------------------------------------------------------------------------------------------------
-- The first {variable} that nobody replaced, or null. Blanks do not hide it, nor letters that are not English.
create or replace function private.unreplaced_variable(content text) returns text
language plpgsql immutable set search_path = '' as $$
begin
  return substring(content from '\{\s*[A-Za-z_\u00AA-\uFFFF][^{}]{0,63}\}');
end
$$;
-- The texts of a message with [BUBBLE] marks, in order, without empty ones. A mark is one however it is written.
create or replace function private.bubbles(content text) returns text[]
language sql immutable set search_path = '' as $$
  select coalesce(array_agg(b.t order by b.n), '{}')
  from (select btrim(x.t, E' \n\r\t') as t, x.n from regexp_split_to_table(content, '\[\s*bubble\s*\]', 'i') with ordinality x (t, n)) b
  where b.t <> ''
$$;
create or replace function private.check_sendable(content text) returns void
language plpgsql immutable set search_path = '' as $$
declare variable text := private.unreplaced_variable(content);
begin
  if variable is not null then raise exception 'the variable % was not replaced', variable using errcode = '23514'; end if;
  if content ~* '\[\s*bubble\s*\]' then
    raise exception '[BUBBLE] is split at the hand-off of a campaign alone: insert one row for each piece' using errcode = '23514';
  end if;
end
$$;

revoke all on all functions in schema private from public;
