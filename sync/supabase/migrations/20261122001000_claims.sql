-- Claims: what the box's analytics need travels with the row, the score orders rows of one priority, a recipient stays with the box that
-- wrote to it last, urgent rows are not promoted behind a backlog, and a session's first claim is as quick as the others.

-- The calls of a box are planned once a session (force_generic_plan): their plans are the same whatever the parameters are.
-- Helpers, in plpgsql: its plans are kept for the session, those of SQL functions that can not be inlined are made at every call.
create or replace function private.jwt() returns jsonb
language plpgsql stable parallel safe set search_path = '' as $$
begin
  return coalesce(nullif(pg_catalog.current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
end
$$;
create or replace function private.has_role(variadic roles text[]) returns boolean
language plpgsql stable parallel safe security definer set search_path = '' as $$
begin
  return exists (select 1 from public.staff_roles r
                 where r.user_id = nullif(private.jwt() ->> 'sub', '')::uuid and r.role = any (roles));
end
$$;
create or replace function private.actor() returns text
language plpgsql stable set search_path = '' as $$
begin
  return coalesce(pg_catalog.current_setting('conductor.actor', true), '');
end
$$;
create or replace function private.is_fenced(me public.gateways, p jsonb) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(me.instance <> p ->> 'instance', false);
end
$$;
create or replace function private.is_alone(me public.gateways) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return not exists (select 1 from public.gateways g where g.pool = me.pool and g.enabled and g.id <> me.id);
end
$$;
create or replace function private.act_as(who text) returns void
language plpgsql volatile set search_path = '' as $$
begin
  perform pg_catalog.set_config('conductor.actor', who, true);
end
$$;
-- Waits for nobody: somebody else that holds the row has just seen the box.
create or replace function private.seen(me public.gateways) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  if me.last_seen_at is null or me.last_seen_at < now() - interval '30 seconds' then
    update public.gateways set last_seen_at = now()
      where id = (select g.id from public.gateways g where g.id = me.id for no key update skip locked);
  end if;
end
$$;
create or replace function private.bounded(value jsonb, fallback numeric, least_value numeric, most numeric) returns numeric
language plpgsql immutable set search_path = '' as $$
begin
  return case when jsonb_typeof(value) = 'number' then least(greatest((value #>> '{}')::numeric, least_value), most) else fallback end;
end
$$;
create or replace function private.is_opted_out(number text) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return exists (select 1 from public.opt_outs o where o.phone_number = number and o.active);
end
$$;
create or replace function public.shop_today() returns date
language plpgsql stable parallel safe set search_path = '' as $$
begin
  return (select (now() at time zone s.time_zone)::date from public.shop_settings s);
end
$$;

create or replace function private.is_begun_elsewhere(j public.scheduled_messages, instance text) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  return coalesce(case when j.status = 'claimed' or j.begun_instance is null then j.pinned and j.claimed_instance <> instance
                       else j.begun_instance <> instance end, false);
end
$$;

-- Why a row may not be sent or kept by this box; null when it may.
create or replace function private.refusal(j public.scheduled_messages, me public.gateways, epoch bigint) returns text
language plpgsql stable security definer set search_path = '' as $$
begin
  return case
    when j.id is null then 'not-found'
    when j.claimed_by is distinct from me.id or j.claim_epoch <> epoch then 'stale-epoch'
    when j.status = 'cancelled' then 'cancelled'
    when j.status not in ('claimed', 'sending') then case when j.status in ('queued', 'unknown') then 'lease' else 'state' end
    when j.lease_expires_at < clock_timestamp() then 'lease' end;
end
$$;

alter table public.scheduled_messages
  add column features jsonb,                     -- of the recipient, as of the promotion: what the box ranks by
  add column score numeric(4, 1) check (score between 0 and 100),
  add column claim_rank timestamptz,             -- the send time, up to 4 h earlier by the score: nobody waits for ever
  add column preferred_gateway text;             -- that wrote to this number last
alter table public.gateways add column last_claim_at timestamptz;
-- Which box told an event is on record also when the box is no more; every event paid for looking.
alter table public.message_events drop constraint message_events_gateway_id_fkey;

-- Whom a number's customer is worth: the lifetime value at each hundredth of all customers.
create table private.value_percentiles (
  percentile numeric(3, 2) primary key,
  lifetime_value numeric(10, 2) not null
);
create index value_percentiles_value on private.value_percentiles (lifetime_value desc, percentile desc);
alter table private.value_percentiles enable row level security;

create function private.calculate_percentiles() returns integer
language plpgsql set search_path = '' as $$
declare n integer;
begin
  insert into private.value_percentiles as v (percentile, lifetime_value)
    select x.percentile, x.value
    from (select array_agg(g / 100.0 order by g) as steps from generate_series(0, 100) g) s,
      lateral (select percentile_disc(s.steps::double precision[]) within group (order by c.lifetime_value) as found
               from public.customers c where c.total_sales > 0) f,
      unnest(s.steps, f.found) x (percentile, value)
    where x.value is not null
    on conflict (percentile) do update set lifetime_value = excluded.lifetime_value where v.lifetime_value <> excluded.lifetime_value;
  get diagnostics n = row_count;
  perform private.note_calculated('percentiles', n);
  return n;
end
$$;

-- How urgent, by the days since the last visit over the usual gap: the curve of the box's own analytics.
create function private.urgency(ratio numeric) returns numeric
language plpgsql immutable set search_path = '' as $$
begin
  return case when ratio is null then 0.5 when ratio <= 0 then 0.05
    when ratio <= 0.5 then 0.05 + (ratio - 0) / 0.5 * 0.15 when ratio <= 0.8 then 0.2 + (ratio - 0.5) / 0.3 * 0.4
    when ratio <= 1.0 then 0.6 + (ratio - 0.8) / 0.2 * 0.3 when ratio <= 1.2 then 0.9 + (ratio - 1.0) / 0.2 * 0.1
    when ratio <= 2.0 then 1.0 - (ratio - 1.2) / 0.8 * 0.3 when ratio <= 4.0 then 0.7 - (ratio - 2.0) / 2 * 0.4
    when ratio <= 8.0 then 0.3 - (ratio - 4.0) / 4 * 0.2 else 0.1 end;
end
$$;

-- scheduled -> queued, with what is known of each recipient. A number of several customers is nobody's.
-- The joins are planned as they stand: looking for a better order takes longer than the query.
create function private.promote(ids bigint[]) returns void
language plpgsql volatile security definer set search_path = '' set join_collapse_limit = 1 set from_collapse_limit = 1 as $$
begin
  update public.scheduled_messages j set status = 'queued', features = f.features, score = f.score, preferred_gateway = f.last_gateway,
      claim_rank = j.scheduled_send_time - f.score::double precision * interval '144 seconds'
  from (
    select d.id, h.last_gateway,
      jsonb_strip_nulls(jsonb_build_object('last_visit', c.last_visited, 'cycle_days', v.avg_days_between_visits, 'value_percentile', w.percentile,
        'visits', c.total_visits, 'tier', c.vip_status, 'state', c.state,
        'prime_window', case when c.last_visited is not null then jsonb_build_array(c.last_visited + floor(0.8 * y.cycle)::integer,
                                                                                      c.last_visited + ceil(1.2 * y.cycle)::integer) end,
        'last_contact', h.last_contact, 'sent', h.sent, 'replied', h.replied, 'sent_30_days', h.sent_30_days)) as features,
      round(least(100, greatest(0,
        35 * private.urgency(extract(epoch from now() - c.last_visited::timestamptz) / 86400 / y.cycle)
        + 25 * coalesce(w.percentile, case c.vip_status when 'VIP' then 1.0 when 'Regular' then 0.6 when 'Casual' then 0.3 when 'New' then 0.1 end, 0.5)
        + 15 * d.priority / 100
        + 25 * case when h.sent = 0 then 0.5 else least(1, 2 * (h.replied + 1.0) / (h.sent + 4)) end
        - 10 * least(1, h.sent_30_days / 8.0))), 1) as score
    from public.scheduled_messages d
    left join lateral (
      select case when count(*) = 1 then min(x.member_id) end as member_id
      from (select k.member_id from public.customers k where d.customer_id is null and k.phone = d.phone_number limit 2) x) n on true
    left join public.customers c on c.member_id = coalesce(d.customer_id, n.member_id)
    left join public.customer_visit_patterns v on v.customer_id = c.member_id
    left join lateral (select p.percentile from private.value_percentiles p where p.lifetime_value <= c.lifetime_value and c.total_sales > 0
                       order by p.lifetime_value desc, p.percentile desc limit 1) w on true
    cross join lateral (select greatest(7, round(coalesce(v.avg_days_between_visits, 14))) as cycle) y
    cross join lateral (
      select count(*) filter (where e.sent_at is not null) as sent,
             count(*) filter (where e.answered_at < e.sent_at + interval '3 days') as replied,
             count(*) filter (where e.sent_at > now() - interval '30 days') as sent_30_days, max(e.sent_at) as last_contact,
             (array_agg(e.gateway_id order by e.sent_at desc) filter (where e.sent_at is not null))[1] as last_gateway
      from (select case when m.direction = 'outbound' then m.sent_at end as sent_at, m.gateway_id,
                   min(m.at) filter (where m.direction = 'inbound') over (order by m.at rows between 1 following and unbounded following) as answered_at
            from (select l.direction, l.sent_at, l."timestamp" as at, l.gateway_id from public.messages l
                  where l.phone_number = d.phone_number order by l."timestamp" desc limit 60) m) e) h
    where d.id = any (ids)) f
  where j.id = f.id;
end
$$;

-- Urgent is what a person waits for or a producer put forward: it is promoted before the rest, however long that has waited.
create index scheduled_messages_due on public.scheduled_messages
  (pool, (coalesce(gateway_id, '')), (case when class <> 'marketing' or priority > 50 then 0 else 1 end), scheduled_send_time) where status = 'scheduled';
create index scheduled_messages_take on public.scheduled_messages
  (pool, (coalesce(gateway_id, '')), priority desc, claim_rank, id) where status = 'queued';
drop index public.scheduled_messages_promote, public.scheduled_messages_claim;
update public.scheduled_messages set claim_rank = scheduled_send_time where status in ('queued', 'claimed', 'sending', 'unknown');

-- What enters the queue by hand can be sent: no variable that nobody replaced, no mark that only a hand-off splits at. And a campaign that
-- is paused keeps what is inserted for it until it goes on.
create function private.check_sendable(content text) returns void
language plpgsql immutable set search_path = '' as $$
declare variable text := (regexp_match(content, '\{[A-Za-z_][A-Za-z0-9_ .-]{0,63}\}'))[1];
begin
  if variable is not null then raise exception 'the variable % was not replaced', variable using errcode = '23514'; end if;
  if content like '%[BUBBLE]%' then
    raise exception '[BUBBLE] is split at the hand-off of a campaign alone: insert one row for each piece' using errcode = '23514';
  end if;
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

drop trigger new_claim on public.scheduled_messages;
drop function private.forget_begun();

-- The ids of the rows that are due, of this box alone (owner) or of any box (owner ''), locked.
create function private.due_rows(in_pool text, owner text, until timestamptz, most integer) returns bigint[]
language plpgsql volatile security definer set search_path = '' as $$
declare ids bigint[] := array[]::bigint[]; more bigint[];
begin
  for lane in 0..1 loop
    exit when most <= cardinality(ids);
    more := array(select s.id from public.scheduled_messages s
                  where s.pool = in_pool and coalesce(s.gateway_id, '') = owner and (case when s.class <> 'marketing' or s.priority > 50 then 0 else 1 end) = lane
                    and s.status = 'scheduled' and s.scheduled_send_time <= until
                  order by s.scheduled_send_time limit most - cardinality(ids) for update skip locked);
    ids := ids || more;
  end loop;
  return ids;
end
$$;
-- The ids of the rows that this box may claim, best first, locked. Those of a number that another box wrote to last wait for that box, for
-- two minutes, while it claims.
create function private.best_rows(me public.gateways, owner text, until timestamptz, most integer) returns bigint[]
language plpgsql volatile security definer set search_path = '' as $$
declare others text[];
begin
  if most <= 0 then return array[]::bigint[]; end if;
  others := array(select g.id from public.gateways g
                  where g.pool = me.pool and g.enabled and g.id <> me.id and g.last_claim_at > now() - interval '2 minutes');
  return array(select s.id from public.scheduled_messages s
               where s.pool = me.pool and coalesce(s.gateway_id, '') = owner and s.status = 'queued'
                 and s.scheduled_send_time <= until and (s.expires_at is null or s.expires_at > now())
                 and not (coalesce(s.preferred_gateway = any (others), false) and s.scheduled_send_time > now() - interval '2 minutes')
               order by s.priority desc, s.claim_rank, s.id limit most for update skip locked);
end
$$;

-- Rows as the box gets them, in the order of the ids.
create function private.jobs_json(ids bigint[]) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object(
      'id', j.id, 'epoch', j.claim_epoch, 'revision', j.revision, 'status', j.status,
      'phone_number', j.phone_number, 'content', j.message_content, 'class', j.class, 'priority', j.priority, 'score', j.score,
      'send_at', j.scheduled_send_time, 'expires_at', j.expires_at, 'lease_expires_at', j.lease_expires_at,
      'offline_ok', j.pinned, 'instance', j.claimed_instance, 'on_unknown', j.on_unknown, 'campaign_name', j.campaign_name,
      'cancel_requested', j.cancel_requested_at is not null,
      'consent', exists (select 1 from public.consents c where c.phone_number = j.phone_number and c.class = j.class and c.revoked_at is null),
      'opted_out', exists (select 1 from public.opt_outs o where o.phone_number = j.phone_number and o.active),
      'set', 'campaign-message-' || j.campaign_message_id, 'set_no', j.bubble_no, 'set_total', j.bubble_total,
      'state', j.features ->> 'state', 'customer', coalesce(j.features, '{}') - 'state') order by i.n), '[]')
    from unnest(ids) with ordinality i (id, n) join public.scheduled_messages j on j.id = i.id);
end
$$;

create or replace function private.reap(in_pool text, most integer) returns integer
language plpgsql volatile security definer set search_path = '' as $$
declare ids bigint[]; total integer := 0;
begin
  ids := array(select s.id from public.scheduled_messages s
               where s.pool = in_pool and s.status in ('claimed', 'sending') and s.lease_expires_at < now()
               order by s.lease_expires_at limit most for update skip locked);
  if ids <> '{}' then
    perform private.act_as('reaper');
    update public.scheduled_messages j set
        status = case when (j.status = 'sending' or j.pinned) and j.on_unknown is distinct from 'resend' then 'unknown' else 'queued' end,
        delivery_status = case when (j.status = 'sending' or j.pinned) and j.on_unknown is distinct from 'resend' then 'unknown' else j.delivery_status end,
        reason = case when j.status = 'sending' or j.pinned then 'lease-over' else j.reason end,
        claim_rank = coalesce(j.claim_rank, j.scheduled_send_time), claim_request = null, lease_expires_at = null
      where j.id = any (ids);
    total := cardinality(ids);
  end if;
  ids := array(select s.id from public.scheduled_messages s
               where s.pool = in_pool and s.status in ('scheduled', 'queued') and s.expires_at is not null and s.expires_at <= now()
               order by s.expires_at limit most for update skip locked);
  if ids <> '{}' then
    perform private.act_as('reaper');
    update public.scheduled_messages j set status = 'expired', reason = 'expired',
        error_message = 'The time in which it could be sent is over; schedule it again if it still matters.'
      where j.id = any (ids);
    total := total + cardinality(ids);
  end if;
  return total;
end
$$;

create or replace function public.gw_claim_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  me public.gateways := private.my_gateway();
  request text := coalesce(nullif(p ->> 'request_id', ''), gen_random_uuid()::text);
  alone boolean;
  most integer; held integer; waiting integer;
  until timestamptz; lease interval;
  ids bigint[]; owner text; own bigint[]; jobs jsonb := jsonb_build_array();
begin
  if length(request) > 128 then raise sqlstate 'PT400' using message = '"request_id" is too long'; end if;
  -- Claims of one box wait for each other. Looked at again behind the lock: a newer instance may have come, or the box been disabled.
  select * into me from public.gateways g where g.id = me.id for no key update;
  if me.enabled is not true then raise sqlstate 'PT403' using message = 'this user is no enabled gateway'; end if;
  alone := private.is_alone(me);
  if private.is_fenced(me, p) then
    return jsonb_build_object('fenced', true, 'alone', alone, 'jobs', jobs, 'server_now', clock_timestamp());
  end if;
  if me.last_claim_at is null or me.last_claim_at < now() - interval '30 seconds' then
    update public.gateways set last_claim_at = now(), last_seen_at = now() where id = me.id;
  end if;
  ids := array(select s.id from public.scheduled_messages s
               where s.claimed_by = me.id and s.claim_request = request and s.status in ('claimed', 'sending')
               order by s.priority desc, s.claim_rank, s.id);
  if ids = '{}' then
    most := private.bounded(p -> 'limit', 20, 0, case when alone then 500 else 20 end);
    until := now() + make_interval(secs => private.bounded(p -> 'horizon_s', case when alone then 345600 else 300 end, 0,
                                                           case when alone then 604800 else 3600 end)::double precision);
    lease := make_interval(secs => private.bounded(p -> 'lease_s', case when alone then 86400 else 600 end, 10,
                                                   case when alone then 604800 else 3600 end)::double precision);
    perform private.reap(me.pool, 200);
    select count(*) into held from public.scheduled_messages s where s.claimed_by = me.id and s.status in ('claimed', 'sending');
    most := least(most, me.max_inflight - held);
    if most > 0 then
      perform private.act_as(me.id);
      foreach owner in array array[me.id, ''] loop   -- what this box alone may send goes first
        select count(*) into waiting from (
          select 1 from public.scheduled_messages s where s.pool = me.pool and coalesce(s.gateway_id, '') = owner and s.status = 'queued'
          limit most + 50) w;
        own := private.due_rows(me.pool, owner, until, most + 50 - waiting);
        if own <> '{}' then perform private.promote(own); end if;
        ids := ids || private.best_rows(me, owner, until, most - cardinality(ids));
      end loop;
      if ids <> '{}' then
        update public.scheduled_messages j set status = 'claimed', claimed_by = me.id, claim_epoch = j.claim_epoch + 1,
            claim_request = request, reason = null, error_message = null,
            pinned = j.offline_ok or alone, claimed_instance = nullif(p ->> 'instance', ''),
            lease_expires_at = greatest(j.scheduled_send_time, now()) + lease
          where j.id = any (ids);
      end if;
    end if;
  end if;
  if ids <> '{}' then jobs := private.jobs_json(ids); end if;
  return jsonb_build_object('fenced', false, 'alone', alone, 'jobs', jobs, 'server_now', clock_timestamp());
end
$$;

create or replace function public.gw_mine_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  me public.gateways := private.my_gateway();
  after_id bigint := private.bounded(p -> 'after', 0, 0, 9e18);
  most integer := private.bounded(p -> 'limit', 500, 1, 1000);
  fenced boolean;
  ids bigint[] := array[]::bigint[];
begin
  select * into me from public.gateways g where g.id = me.id for key share;
  fenced := private.is_fenced(me, p);
  if not fenced then
    if jsonb_typeof(p -> 'adopt') = 'array' and jsonb_array_length(p -> 'adopt') > 0 and p ->> 'instance' is not null then
      perform private.act_as(me.id);
      update public.scheduled_messages s set claimed_instance = p ->> 'instance'
        where s.claimed_by = me.id and s.status = 'claimed' and s.pinned and s.scheduled_send_time > now()
          and s.claimed_instance <> p ->> 'instance' and (p -> 'adopt' ? '*' or p -> 'adopt' ? s.claimed_instance);
    end if;
    ids := array(select s.id from public.scheduled_messages s
                 where s.claimed_by = me.id and s.status in ('claimed', 'sending') and s.id > after_id order by s.id limit most);
  end if;
  perform private.seen(me);
  return jsonb_build_object('fenced', fenced, 'alone', private.is_alone(me), 'jobs', private.jobs_json(ids),
    'server_now', clock_timestamp(), 'next', case when cardinality(ids) = most then ids[most] end);
end
$$;
drop function private.job_json(public.scheduled_messages, boolean);

-- KEY SHARE waits for a hello under way, and a hello for it: after a newer instance was greeted, no older one gets a go.
create or replace function public.gw_begin_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  me public.gateways := private.my_gateway();
  items jsonb := private.items(p, 'jobs', 500);
  fenced boolean;
  item jsonb; j public.scheduled_messages; why text; answers jsonb[] := '{}'::jsonb[];
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
    if why is null and private.is_begun_elsewhere(j, p ->> 'instance') then
      why := 'begun-before';
    end if;
    if why is null and j.status = 'claimed' then            -- 'sending' already: the answer was lost, it stands
      why := case
        when j.revision is distinct from (item ->> 'revision')::integer then 'edited'
        when j.cancel_requested_at is not null then 'cancelled'
        when j.expires_at <= clock_timestamp() then 'expired'
        when j.class <> 'reply' and private.is_opted_out(coalesce(item ->> 'phone_number', j.phone_number)) then 'opted-out' end;
      if why is null then
        update public.scheduled_messages s set status = 'sending', begun_instance = p ->> 'instance' where s.id = j.id;
      end if;
    end if;
    answers := answers || jsonb_build_object('id', item -> 'id', 'go', why is null, 'reason', why, 'revision', j.revision);
  end loop;
  perform private.seen(me);
  return jsonb_build_object('jobs', to_jsonb(answers), 'server_now', clock_timestamp());
end
$$;

create or replace function public.gw_renew_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  me public.gateways := private.my_gateway();
  alone boolean := private.is_alone(me);
  lease interval := make_interval(secs => private.bounded(p -> 'lease_s', case when alone then 86400 else 600 end, 10,
                                                          case when alone then 604800 else 3600 end)::double precision);
  items jsonb := private.items(p, 'jobs', 1000);
  fenced boolean;
  item jsonb; j public.scheduled_messages; why text; answers jsonb[] := '{}'::jsonb[];
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

-- FOR UPDATE, against the KEY SHARE of gw_begin_v1.
create or replace function public.gw_hello_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  wanted text := nullif(p ->> 'instance', '');
  said text := nullif(p ->> 'word', '');
  last_word text;
  fenced boolean := false;
  forked boolean := false;
  meta public.gw_meta;
begin
  select * into me from public.gateways g where g.id = me.id for update;
  if me.enabled is not true then raise sqlstate 'PT403' using message = 'this user is no enabled gateway'; end if;
  if wanted is not null then
    insert into public.gateway_instances (gateway_id, instance, word) values (me.id, wanted, said) on conflict do nothing;
    if found then
      me.instance := wanted;
    else
      fenced := wanted is distinct from me.instance;       -- known, and replaced by a newer one since
      select i.word into last_word from public.gateway_instances i where i.gateway_id = me.id and i.instance = wanted;
      forked := not fenced and said <> last_word and not coalesce(p -> 'words' ? last_word, false);
      if not fenced and not coalesce(forked, false) and said is not null then
        update public.gateway_instances i set word = said where i.gateway_id = me.id and i.instance = wanted;
      end if;
    end if;
  end if;
  forked := coalesce(forked, false);
  update public.gateways g set instance = me.instance, last_seen_at = now(),
      version = case when fenced then g.version else coalesce(p ->> 'version', g.version) end,
      protocol = case when fenced then g.protocol else coalesce((p ->> 'protocol')::integer, g.protocol) end
    where g.id = me.id;
  select * into meta from public.gw_meta;
  return jsonb_build_object(
    'gateway_id', me.id, 'pool', me.pool, 'generation', meta.generation,
    'protocol_min', meta.protocol_min, 'protocol_max', meta.protocol_max, 'max_inflight', me.max_inflight,
    'alone', private.is_alone(me), 'fenced', fenced, 'forked', forked,
    'topics', jsonb_build_array('gw-box:' || me.id, 'gw-pool:' || me.pool), 'server_now', clock_timestamp());
end
$$;

-- Locks what the items name, rows before the campaign messages that they flow back to, each in the order of ids.
create or replace function private.lock_jobs(items jsonb, name text) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare ids bigint[];
begin
  ids := array(select (i ->> name)::bigint from jsonb_array_elements(items) i where i ->> name ~ '^[0-9]{1,18}$');
  if ids = '{}' then return; end if;
  perform 1 from public.scheduled_messages s where s.id = any (ids) order by s.id for update;
  perform 1 from public.campaign_messages c
    where c.id in (select s.campaign_message_id from public.scheduled_messages s where s.id = any (ids) and s.campaign_message_id is not null)
    order by c.id for no key update;
end
$$;

-- Applies the items in one go. Where one is bad each gets a savepoint of its own, so that it is rejected alone; what is no fault of an item
-- is raised again.
create or replace function private.each_item(me public.gateways, items jsonb, id_name text, inbound boolean) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  item jsonb; verdict text; why text; verdicts jsonb[] := array[]::jsonb[];
begin
  begin
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

-- The doorbell after a change: by row, whose condition costs nothing where it does not hold, once a transaction and pool.
create function private.ring_row() returns trigger
language plpgsql security definer set search_path = '' as $$
declare rung text := coalesce(pg_catalog.current_setting('conductor.rung', true), '');
begin
  if position(',' || pg_catalog.quote_ident(new.pool) || ',' in rung) = 0 then
    perform pg_catalog.set_config('conductor.rung', rung || ',' || pg_catalog.quote_ident(new.pool) || ',', true);
    perform private.ring('gw-pool:' || new.pool);
  end if;
  return null;
end
$$;
drop trigger ring_updated on public.scheduled_messages;
drop function private.ring_changed();
create trigger ring_updated after update on public.scheduled_messages
  for each row when (new.status in ('scheduled', 'queued') and new.scheduled_send_time <= now() + interval '15 minutes'
    and (old.status not in ('scheduled', 'queued') or new.scheduled_send_time < old.scheduled_send_time or new.pool <> old.pool))
  execute function private.ring_row();

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
  perform private.seen(me);
  return jsonb_build_object('verdicts', verdicts, 'server_now', clock_timestamp());
end
$$;

create or replace function public.recalculate_v1(p jsonb default '{}') returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  everything boolean := coalesce((p ->> 'everything')::boolean, false);
  changed text[];
  sales_changed boolean;
  pairs_age interval;
begin
  if private.jwt() ->> 'role' = 'authenticated' and not private.has_role('admin') then
    raise exception 'only an administrator may recalculate' using errcode = '42501';
  end if;
  if not pg_try_advisory_xact_lock(727274, 1) then
    raise exception 'another recalculation is running' using errcode = '55P03';
  end if;
  with taken as (delete from private.stale_customers s returning s.customer_id)
  select coalesce(array_agg(distinct t.customer_id), '{}') into changed from taken t;
  if everything then
    select coalesce(array_agg(x.customer_id), '{}') into changed from (
      select unnest(changed) as customer_id union select t.customer_id from public.transactions t where t.customer_id is not null
      union select v.customer_id from public.customer_visit_patterns v union select a.customer_id from public.customer_product_affinity a) x;
  end if;
  sales_changed := everything or exists (
    select 1 from public.transactions t where t.updated_at > (select c.calculated_at - interval '1 hour' from private.calculated c where c.name = 'staff'))
    or cardinality(changed) > 0 or not exists (select 1 from private.calculated c where c.name = 'staff');
  select now() - c.calculated_at into pairs_age from private.calculated c where c.name = 'product_pairs';
  return jsonb_build_object(
    'customers', private.calculate_customers(changed), 'visit_patterns', private.calculate_visit_patterns(changed),
    'percentiles', private.calculate_percentiles(), 'affinity', private.calculate_affinity(changed), 'tastes', private.calculate_tastes(changed),
    'staff', case when sales_changed then private.calculate_staff() else 0 end,
    'product_pairs', case when everything or pairs_age is null or sales_changed and pairs_age > interval '6 hours'
                          then private.calculate_product_pairs() else 0 end,
    'leads', private.calculate_leads());
end
$$;

revoke all on all functions in schema private from public;
