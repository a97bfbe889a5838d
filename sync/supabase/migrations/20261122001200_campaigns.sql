-- Campaigns, in the cases that the first version missed: two bubbles that end at once, an answer that is told before the sending, a second
-- round, a plan that is too late, a box that sends what was paused while it was offline. And leases that nobody's claim looks after.

alter table public.campaigns add column late_hours integer not null default 24 check (late_hours between 1 and 720);  -- later than planned is too late
alter table public.campaign_messages add column round integer not null default 0;   -- of planning: a message that failed may be planned anew
alter table public.scheduled_messages
  add column campaign_round integer,             -- which of them this row is of
  add column begun_at timestamptz;               -- the go of this claim
update public.scheduled_messages set campaign_round = 0 where campaign_message_id is not null;

-- The state of a campaign moves by campaign_pause_v1, campaign_resume_v1 and campaign_cancel_v1, which see to its rows.
revoke insert, update on public.campaigns from authenticated;
grant insert (campaign_name, description, target_segment, late_hours), update (description, target_segment, late_hours) on public.campaigns to authenticated;

-- A row that was paused while its box was away may have gone out all the same: what the box tells of it counts. Of a row that no box had,
-- nobody tells.
insert into private.transitions (by_gateway, from_status, to_status)
  select true, 'approved', t from unnest(array['sending', 'sent', 'delivered', 'undelivered', 'unknown']) t;

create function private.refuse_unclaimed() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception 'status may not go from % to %: no box has had it', old.status, new.status using errcode = '23514';
end
$$;
create trigger guard_unclaimed before update of status on public.scheduled_messages
  for each row when (old.status = 'approved' and old.claimed_by is null and new.status in ('sending', 'sent', 'delivered', 'undelivered', 'unknown'))
  execute function private.refuse_unclaimed();

create or replace function private.plan_item(item jsonb) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare m public.campaign_messages; variable text; texts text[]; late interval;
begin
  select * into m from public.campaign_messages c where c.id = (item ->> 'id')::bigint for update;
  if not found then raise exception 'no campaign message %', item ->> 'id' using errcode = 'P0002'; end if;
  variable := private.unreplaced_variable(m.message_content);
  if variable is not null then raise exception 'the variable % was not replaced', variable using errcode = '22023'; end if;
  texts := private.bubbles(m.message_content);
  if cardinality(texts) not between 1 and 20 then raise exception 'a message has 1 to 20 bubbles, this one %', cardinality(texts) using errcode = '22023'; end if;
  if nullif(item ->> 'at', '') is null then raise exception 'at is missing' using errcode = '22023'; end if;
  select make_interval(hours => coalesce(max(k.late_hours), 24)) into late from public.campaigns k where k.campaign_name = m.campaign_name;
  if (item ->> 'at')::timestamptz + late < now() then raise exception 'at is more than % ago', late using errcode = '22023'; end if;
  update public.campaign_messages c set status = 'scheduled', scheduled_for = (item ->> 'at')::timestamptz, round = c.round + 1,
      exported_at = null, exported_to = null, conductor_message_id = null, delivery_status = 'none', cost = null, responded_at = null
    where c.id = m.id;
end
$$;

-- Hands planned messages over: each bubble becomes a row of its own, 3 s apart, under a key that a second hand-off finds. {"limit": 500}
create or replace function public.campaign_hand_off_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  handed integer; refused integer; rows_made integer; late integer; resumed integer;
begin
  if private.jwt() ->> 'role' = 'authenticated' then perform private.require_role('reviewer', 'admin', 'agent'); end if;
  -- what was changed into something unsendable since it was planned goes back to the reviewer
  update public.campaign_messages c set status = 'approved',
      feedback_notes = 'not handed over: ' || coalesce('the variable ' || private.unreplaced_variable(c.message_content) || ' was not replaced', 'no text')
    where c.status = 'scheduled'
      and (private.unreplaced_variable(c.message_content) is not null or cardinality(private.bubbles(c.message_content)) not between 1 and 20);
  get diagnostics refused = row_count;
  update public.campaign_messages c set status = 'expired',
      feedback_notes = format('not handed over: it was planned for %s, and is too late', c.scheduled_for)
    where c.status = 'scheduled' and c.scheduled_for < now() - interval '1 hour'
      and c.scheduled_for < now() - make_interval(hours => coalesce((select k.late_hours from public.campaigns k where k.campaign_name = c.campaign_name), 24));
  get diagnostics late = row_count;
  resumed := private.resume_rows(null);
  perform private.act_as('hand-off');
  with due as (
    select c.*, coalesce(k.late_hours, 24) as late_hours
    from public.campaign_messages c left join public.campaigns k on k.campaign_name = c.campaign_name
    where c.status = 'scheduled' and c.scheduled_for < now() + interval '96 hours' and coalesce(k.status, 'active') not in ('paused', 'cancelled')
    order by c.scheduled_for, c.id limit private.bounded(p -> 'limit', 500, 1, 5000)::integer for update of c skip locked),
  made as (
    insert into public.scheduled_messages (customer_id, phone_number, customer_segment, message_content, original_message, generated_by, generation_cost,
        strategy_type, reasoning, confidence_score, days_since_visit, favorite_budtender, favorite_product, scheduled_send_time, expires_at, status,
        campaign_name, campaign_batch_id, reviewed_by, reviewed_at, human_override, class, priority, dedup_key, campaign_message_id, campaign_round,
        bubble_no, bubble_total)
    select d.customer_id, d.phone_number, d.customer_segment, b.t, d.original_message, d.generated_by, case when b.n = 1 then d.generation_cost else 0 end,
        d.strategy_type, d.reasoning, d.confidence, d.days_since_visit, d.favorite_budtender, d.favorite_product,
        d.scheduled_for + (b.n - 1) * interval '3 seconds', d.scheduled_for + make_interval(hours => d.late_hours), 'scheduled',
        d.campaign_name, d.campaign_batch_id, d.reviewed_by::text, d.reviewed_at, d.original_message is not null, 'marketing', d.priority,
        'campaign-message:' || d.id || ':' || d.round || ':' || b.n, d.id, d.round, b.n, x.total
    from due d, lateral (select private.bubbles(d.message_content) as texts) t, lateral (select cardinality(t.texts) as total) x,
      unnest(t.texts) with ordinality b (t, n)
    on conflict (dedup_key) do nothing returning campaign_message_id),
  marked as (update public.campaign_messages c set status = 'exported', exported_at = now(), exported_to = 'scheduled_messages'
             from due d where c.id = d.id returning c.campaign_name)
  select (select count(*) from marked), (select count(*) from made) into handed, rows_made;
  perform private.act_as('');
  if handed > 0 then
    update public.campaigns k set status = 'active' where k.status = 'planning'
      and exists (select 1 from public.campaign_messages c where c.campaign_name = k.campaign_name and c.status = 'exported');
  end if;
  return jsonb_build_object('handed_over', handed, 'rows', rows_made, 'refused', refused, 'late', late, 'resumed', resumed);
end
$$;

-- What became of the rows goes back to the campaign message they came from. Its row is locked first: of bubbles that end at the same time the
-- second then sees the first.
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
      cost = (select sum(m.cost) from public.messages m join public.scheduled_messages k on k.id = m.scheduled_message_id
              where k.campaign_message_id = c.id and k.campaign_round = c.round),
      responded_at = coalesce(x.responded_at, (select min(m."timestamp") from public.messages m
        where m.phone_number = c.phone_number and m.direction = 'inbound' and m."timestamp" >= s.first_sent
          and m."timestamp" < s.last_sent + interval '7 days'))
    where x.id = c.id;
  perform private.act_as(before);
  return null;
end
$$;
drop trigger flow_back on public.scheduled_messages;
-- Not on the way to the modem: that changes nothing for the campaign message, and every claim would pay for it.
create trigger flow_back after update on public.scheduled_messages
  for each row when (new.campaign_message_id is not null
    and ((new.status, new.delivery_status, new.message_id, new.actual_send_time)
         is distinct from (old.status, old.delivery_status, old.message_id, old.actual_send_time))
    and not (new.status in ('scheduled', 'queued', 'claimed', 'sending') and old.status in ('scheduled', 'queued', 'claimed', 'sending')))
  execute function private.flow_back();

-- The first answer within 7 days of the sending. Where the sending is told later than the answer, flow_back finds it.
create or replace function private.note_response() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  update public.campaign_messages c set responded_at = new."timestamp"
  where c.phone_number = new.phone_number and coalesce(c.responded_at > new."timestamp", true) and c.exported_at is not null
    and exists (select 1 from public.scheduled_messages j where j.campaign_message_id = c.id and j.campaign_round = c.round
                and j.actual_send_time <= new."timestamp" and j.actual_send_time > new."timestamp" - interval '7 days');
  return null;
end
$$;

-- Rows that a pause took back go on, except those that a box which is away may still send: they wait until it has been told, or its lease is over.
create function private.resume_rows(campaign text) returns integer
language plpgsql volatile security definer set search_path = '' as $$
declare n integer;
begin
  update public.scheduled_messages j set status = 'scheduled'
  from public.campaigns k
  where j.status = 'approved' and j.reason = 'campaign-paused' and k.campaign_name = j.campaign_name
    and k.status not in ('paused', 'cancelled') and (campaign is null or k.campaign_name = campaign)
    and not (j.pinned and j.claimed_by is not null and j.lease_expires_at > now()
             and exists (select 1 from public.gateway_commands g where g.gateway_id = j.claimed_by and g.kind = 'cancel' and g.job_id = j.id
                         and g.claim_epoch = j.claim_epoch and g.acked_at is null));
  get diagnostics n = row_count;
  return n;
end
$$;
create index scheduled_messages_paused on public.scheduled_messages (campaign_name) where status = 'approved' and reason = 'campaign-paused';

create or replace function private.act_on_campaign(p jsonb, action text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  campaign text := nullif(p ->> 'campaign', '');
  n integer;
begin
  perform private.require_role('reviewer', 'admin');
  if campaign is null then raise sqlstate 'PT400' using message = '"campaign" is missing'; end if;
  -- a producer may have named a campaign that nobody planned
  insert into public.campaigns (campaign_name, status)
    select campaign, 'active' where exists (select 1 from public.scheduled_messages j where j.campaign_name = campaign) on conflict do nothing;
  update public.campaigns k set status = case action when 'pause' then 'paused' when 'resume' then 'active' else 'cancelled' end
  where k.campaign_name = campaign;
  if not found then raise sqlstate 'PT404' using message = format('no campaign "%s"', campaign); end if;
  if action = 'resume' then
    n := private.resume_rows(campaign);
    return jsonb_build_object('campaign', campaign, 'rows', n, 'waiting', (select count(*) from public.scheduled_messages j
      where j.campaign_name = campaign and j.status = 'approved' and j.reason = 'campaign-paused'));
  end if;
  update public.scheduled_messages j set status = case action when 'pause' then 'approved' else 'cancelled' end,
      reason = case action when 'pause' then 'campaign-paused' else 'campaign-cancelled' end
  where j.campaign_name = campaign and j.class <> 'reply'
    and j.status = any (case action when 'pause' then array['scheduled', 'queued', 'claimed'] else array['draft', 'approved', 'scheduled', 'queued', 'claimed'] end);
  get diagnostics n = row_count;
  if action = 'cancel' then
    update public.campaign_messages c set status = 'cancelled'
    where c.campaign_name = campaign and c.status in ('draft', 'suggested', 'approved', 'scheduled');
  end if;
  return jsonb_build_object('campaign', campaign, 'rows', n);
end
$$;

-- {"phone": "...", "stage": "...", "status": "...", "last_message": "...", "probability": 0.5}: one row a number.
create or replace function public.lead_upsert_v1(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  number text := public.normal_phone(p ->> 'phone'); l public.leads; known text;
  of_stage text := case p ->> 'stage' when 'qualification' then 'qualified' when 'demo' then 'demo_scheduled' end;
begin
  perform private.require_role('agent', 'reviewer', 'admin');
  if number is null then raise sqlstate 'PT400' using message = '"phone" is no phone number'; end if;
  select c.member_id into known from public.customers c where c.phone = number order by c.last_visited desc nulls last, c.id limit 1;
  insert into public.leads as x (phone_number, customer_id, lead_status, conversation_stage, last_message, conversion_probability)
  values (number, known, coalesce(p ->> 'status', of_stage, case when known is null then 'new' else 'warm' end), coalesce(p ->> 'stage', 'discovery'),
          p ->> 'last_message', coalesce((p ->> 'probability')::numeric, case when known is null then 0.3 else 0.8 end))
  on conflict (phone_number) do update set
    customer_id = coalesce(x.customer_id, excluded.customer_id),
    lead_status = coalesce(p ->> 'status', of_stage, case when x.lead_status = 'new' and excluded.customer_id is not null then 'warm' else x.lead_status end),
    conversation_stage = coalesce(p ->> 'stage', x.conversation_stage), last_message = coalesce(p ->> 'last_message', x.last_message),
    conversion_probability = coalesce((p ->> 'probability')::numeric, x.conversion_probability)
  returning * into l;
  return to_jsonb(l);
end
$$;

-- Leases -------------------------------------------------------------------------------------------------------------------------------
-- A row with a go is on its way: after an hour its lease is prolonged no more, and what became of it is unknown unless its box tells.
create or replace function public.gw_renew_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  me public.gateways := private.my_gateway();
  alone boolean := private.is_alone(me);
  lease interval := make_interval(secs => private.bounded(p -> 'lease_s', case when alone then 86400 else 600 end, 10,
                                                          case when alone then 604800 else 3600 end)::double precision);
  items jsonb := private.items(p, 'jobs', 1000);
  fenced boolean;
  item jsonb; j public.scheduled_messages; why text; answers jsonb[] := array[]::jsonb[];
begin
  perform private.lock_jobs(items, 'id');
  select * into me from public.gateways g where g.id = me.id for key share;
  if me.enabled is not true then raise sqlstate 'PT403' using message = 'this user is no enabled gateway'; end if;
  fenced := private.is_fenced(me, p);
  perform private.act_as(me.id);
  for item in select jsonb_array_elements(items) loop
    j := null;
    if fenced then
      why := 'fenced';
    else
      select * into j from public.scheduled_messages s where s.id = (item ->> 'id')::bigint;
      why := private.refusal(j, me, coalesce((item ->> 'epoch')::bigint, -1));
    end if;
    if why is null and j.status = 'sending' and j.begun_at < clock_timestamp() - interval '1 hour' then
      why := 'lease';
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
  perform private.seen(me);
  return jsonb_build_object('jobs', to_jsonb(answers), 'server_now', clock_timestamp());
end
$$;
create function private.note_begun() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.begun_at := clock_timestamp();
  return new;
end
$$;
create trigger zz_begun before update of status on public.scheduled_messages
  for each row when (new.status = 'sending' and old.status <> 'sending') execute function private.note_begun();

-- Leases run out also where no box claims: with each heartbeat, and every minute where pg_cron is there.
create or replace function public.gw_report_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  me public.gateways := private.my_gateway();
  items jsonb := private.items(p, 'items', 500);
  verdicts jsonb;
begin
  perform private.act_as(me.id);
  perform private.lock_jobs(items, 'job_id');
  verdicts := private.each_item(me, items, 'event_id', false);
  if items @> '[{"kind": "heartbeat"}]' then perform private.reap(me.pool, 200); end if;
  perform private.seen(me);
  return jsonb_build_object('verdicts', verdicts, 'server_now', clock_timestamp());
end
$$;
create function private.reap_all() returns integer
language plpgsql volatile security definer set search_path = '' as $$
declare total integer := 0; p text;
begin
  for p in select distinct g.pool from public.gateways g loop
    total := total + private.reap(p, 1000);
  end loop;
  return total;
end
$$;
do $$
begin
  if exists (select 1 from pg_extension where extname = 'pg_cron') then
    perform cron.schedule('conductor-reap', '* * * * *', 'select private.reap_all()');
    perform cron.schedule('conductor-hand-off', '*/5 * * * *', 'select public.campaign_hand_off_v1()');
  end if;
end
$$;

-- Access -------------------------------------------------------------------------------------------------------------------------------
-- Sizes of tables are no box's business.
create or replace view public.index_use with (security_invoker = true) as
select s.relname as table_name, s.indexrelname as index_name, s.idx_scan as scans, pg_relation_size(s.indexrelid) as bytes
from pg_catalog.pg_stat_user_indexes s
where s.schemaname = 'public' and (select private.jwt() ->> 'role' is distinct from 'authenticated' or private.has_role('viewer', 'reviewer', 'admin', 'agent'))
order by s.idx_scan, bytes desc;
create or replace function public.forget_inactive_devices_v1(p jsonb default '{}') returns jsonb
language plpgsql security definer set search_path = '' as $$
declare before timestamptz := now() - make_interval(days => greatest(30, coalesce((p ->> 'days')::integer, 365)));
        devices integer; events integer; profiles integer;
begin
  if private.jwt() ->> 'role' = 'authenticated' and not private.has_role('admin') then
    raise exception 'only an administrator may delete devices' using errcode = '42501';
  end if;
  with gone as (delete from public.device_tracking d where d.last_seen < before returning d.browser_fingerprint, d.ip_hash),
  prints as (select distinct g.browser_fingerprint from gone g where g.browser_fingerprint <> ''
             and not exists (select 1 from public.device_tracking d where d.browser_fingerprint = g.browser_fingerprint and d.last_seen >= before)),
  wiped as (update public.behavioral_events e set browser_fingerprint = null, ip_hash = null
            from prints x where e.browser_fingerprint = x.browser_fingerprint returning 1),
  cleaned as (update public.customer_intelligence c set browser_fingerprint = '', ip_hash = ''
              from prints x where c.browser_fingerprint = x.browser_fingerprint returning 1)
  select (select count(*) from gone), (select count(*) from wiped), (select count(*) from cleaned) into devices, events, profiles;
  return jsonb_build_object('devices', devices, 'events', events, 'profiles', profiles);
end
$$;
-- A view is read, never written, whatever a project grants by default.
do $$
declare v text;
begin
  for v in select c.relname from pg_catalog.pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' loop
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', v);
    execute format('grant select on public.%I to authenticated, service_role', v);
  end loop;
  execute 'revoke all on all sequences in schema public from public, anon, authenticated';
end
$$;
grant usage on all sequences in schema public to service_role;
revoke all on all functions in schema private from public;
