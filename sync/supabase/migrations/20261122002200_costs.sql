-- What costs nothing costs 0: a box leaves the cost out then, and a sum over what is not known is not known either.
update public.messages set cost = 0 where direction = 'outbound' and cost is null;

create or replace function private.log_message(me public.gateways, item jsonb, kind text, next_status text, next_rank integer, at timestamptz,
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
    m.status := 'queued'; m.direction := 'outbound'; m.delivery_status := 'none'; m.retry_count := 0; m.cost := 0;
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

create or replace function private.apply_entries(me public.gateways, entries private.report_entry[]) returns void
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
          coalesce((x.item ->> 'cost')::numeric, 0), greatest(0, (x.item ->> 'retry_count')::integer), x.item ->> 'message_hash', me.id, x.local_id, x.customer_id,
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

-- As before; but a message whose rows went nowhere costs 0.
create or replace function private.flow_back() returns trigger
language plpgsql security definer set search_path = '' as $$
declare before text := private.actor(); c public.campaign_messages; s record; next_status text;
begin
  select * into c from public.campaign_messages x where x.id = new.campaign_message_id for no key update;
  if c.id is null or new.campaign_round is distinct from c.round then return null; end if;
  select count(*) as total, count(*) filter (where j.status in ('scheduled', 'queued', 'claimed', 'sending', 'approved')) as open,
         count(*) filter (where j.status in ('sent', 'delivered', 'unknown')) as out,
         count(*) filter (where j.status = 'cancelled') as cancelled, count(*) filter (where j.status = 'expired') as expired,
         count(*) filter (where j.delivery_status = 'delivered') as delivered, count(*) filter (where j.delivery_status = 'pending') as pending,
         count(*) filter (where j.delivery_status = 'failed' or j.status in ('failed', 'undelivered', 'expired', 'suppressed')) as not_delivered,
         count(*) filter (where j.delivery_status = 'unknown' or j.status = 'unknown') as unknown,
         (array_agg(j.message_id order by j.bubble_no))[1] as first_message, min(j.actual_send_time) as first_sent, max(j.actual_send_time) as last_sent
    into s from public.scheduled_messages j where j.campaign_message_id = c.id and j.campaign_round = c.round;
  next_status := case when c.status not in ('exported', 'sent', 'failed', 'cancelled', 'expired') or s.open > 0 then c.status
    when s.out = s.total then 'sent' when c.status = 'sent' and s.out = 0 then 'failed'
    when s.out + s.cancelled = s.total then case when c.status = 'exported' then 'cancelled' else c.status end
    when s.out + s.expired = s.total and s.out = 0 then case when c.status = 'exported' then 'expired' else c.status end
    when c.status in ('exported', 'sent') then 'failed' else c.status end;
  perform private.act_as('hand-off');
  update public.campaign_messages x set status = next_status,
      delivery_status = case when s.delivered = s.total then 'delivered' when s.not_delivered > 0 then 'failed' when s.unknown > 0 then 'unknown'
        when s.pending > 0 then 'pending' else 'none' end,
      conductor_message_id = s.first_message,
      cost = (select coalesce(sum(m.cost), 0) from public.messages m join public.scheduled_messages k on k.id = m.scheduled_message_id
              where k.campaign_message_id = c.id and k.campaign_round = c.round),
      responded_at = coalesce(x.responded_at, (select min(m."timestamp") from public.messages m
        where m.phone_number = c.phone_number and m.direction = 'inbound' and m."timestamp" >= s.first_sent
          and m."timestamp" < s.last_sent + interval '7 days'))
    where x.id = c.id;
  perform private.act_as(before);
  return null;
end
$$;
