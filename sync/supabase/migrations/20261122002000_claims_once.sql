-- A row that is due and claimed by the same call is written once: what was promoted first and then claimed was written twice, and everything
-- that it refers to was looked up for it.

insert into private.transitions (by_gateway, from_status, to_status) values (true, 'scheduled', 'claimed');
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
    if by_box and (old.status, new.status) in (('scheduled', 'claimed'), ('scheduled', 'queued'), ('queued', 'claimed'), ('claimed', 'sending'), ('sending', 'sent'),
                                               ('sent', 'delivered')) then
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

-- A row that is due, with what is known of its recipient: what the promotion writes.
create type private.ranked_row as (id bigint, features jsonb, score numeric, claim_rank timestamptz, preferred_gateway text);

-- What is known of each recipient. A number of several customers is nobody's.
-- The joins are planned as they stand: looking for a better order takes longer than the query.
create function private.rank_rows(ids bigint[]) returns private.ranked_row[]
language plpgsql stable security definer set search_path = '' set join_collapse_limit = 1 set from_collapse_limit = 1 as $$
begin
  return array(
  select (f.id, f.features, f.score, f.scheduled_send_time - f.score::double precision * interval '144 seconds', f.last_gateway)::private.ranked_row
  from (
    select d.id, d.scheduled_send_time, h.last_gateway,
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
    where d.id = any (ids) offset 0) f);             -- offset: the score is worked out once
end
$$;
drop function private.promote(bigint[]);

-- True when this box may take the piece of a message: those before it are out, or its own. Those that another box of the pool has just sent,
-- which claims, are that box's to go on with: a person gets one message from one number.
create function private.may_follow(message bigint, of_round integer, piece integer, box text, others text[]) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return not exists (
    select 1 from public.scheduled_messages b
    where b.campaign_message_id = message and b.bubble_no < piece and b.campaign_round is not distinct from of_round
      and (b.claimed_by = any (others) and b.actual_send_time > now() - interval '10 minutes'
           or b.status not in ('sent', 'delivered', 'undelivered', 'unknown')
              and not (b.status in ('claimed', 'sending') and b.claimed_by = box)));
end
$$;
-- How many queued rows this box could claim, up to `most`: the conditions are those of best_rows.
create or replace function private.waiting_rows(me public.gateways, owner text, until timestamptz, most integer) returns integer
language plpgsql stable security definer set search_path = '' as $$
declare others text[]; n integer;
begin
  others := array(select g.id from public.gateways g
                  where g.pool = me.pool and g.enabled and g.id <> me.id and g.last_claim_at > now() - interval '2 minutes');
  select count(*) into n from (
    select 1 from public.scheduled_messages s
    where s.pool = me.pool and coalesce(s.gateway_id, '') = owner and s.status = 'queued'
      and s.scheduled_send_time <= until and (s.expires_at is null or s.expires_at > now())
      and not (coalesce(s.preferred_gateway = any (others), false) and s.scheduled_send_time > now() - interval '2 minutes')
      and (s.bubble_no = 1 or s.campaign_message_id is null or private.may_follow(s.campaign_message_id, s.campaign_round, s.bubble_no, me.id, others))
    limit most) w;
  return n;
end
$$;

-- The ids of the rows that this box may claim, best first: of those that are queued, locked, and of those that are due now (fresh).
drop function private.best_rows(public.gateways, text, timestamptz, integer);
create function private.best_rows(me public.gateways, owner text, until timestamptz, most integer, fresh private.ranked_row[]) returns bigint[]
language plpgsql volatile security definer set search_path = '' as $$
declare others text[]; ids bigint[]; rest bigint[];
begin
  if most <= 0 then return array[]::bigint[]; end if;
  others := array(select g.id from public.gateways g
                  where g.pool = me.pool and g.enabled and g.id <> me.id and g.last_claim_at > now() - interval '2 minutes');
  ids := array(
    select c.id from (
      select q.* from (
        select s.id, s.priority, s.claim_rank from public.scheduled_messages s
        where s.pool = me.pool and coalesce(s.gateway_id, '') = owner and s.status = 'queued'
          and s.scheduled_send_time <= until and (s.expires_at is null or s.expires_at > now())
          and not (coalesce(s.preferred_gateway = any (others), false) and s.scheduled_send_time > now() - interval '2 minutes')
          and (s.bubble_no = 1 or s.campaign_message_id is null
               or private.may_follow(s.campaign_message_id, s.campaign_round, s.bubble_no, me.id, others))
        order by s.priority desc, s.claim_rank, s.id limit most for update skip locked) q
      union all
      select s.id, s.priority, f.claim_rank
      from unnest(fresh) f join public.scheduled_messages s on s.id = f.id
      where (s.expires_at is null or s.expires_at > now())
        and not (coalesce(f.preferred_gateway = any (others), false) and s.scheduled_send_time > now() - interval '2 minutes')
        and (s.bubble_no = 1 or s.campaign_message_id is null
             or private.may_follow(s.campaign_message_id, s.campaign_round, s.bubble_no, me.id, others))) c
    order by c.priority desc, c.claim_rank, c.id limit most);
  if exists (select 1 from public.scheduled_messages s where s.id = any (ids) and s.bubble_no < s.bubble_total) then
    -- as far as the pieces are there without a gap, promoted or not: each is due some seconds after the one before
    rest := array(
      select s.id from public.scheduled_messages s
      join public.scheduled_messages f on f.id = any (ids) and f.campaign_message_id = s.campaign_message_id
        and f.campaign_round is not distinct from s.campaign_round and f.bubble_no < s.bubble_no
      where s.status in ('queued', 'scheduled') and s.scheduled_send_time <= until + interval '10 minutes'
        and s.pool = me.pool and coalesce(s.gateway_id, '') = owner and (s.expires_at is null or s.expires_at > now())
        and (select count(*) from public.scheduled_messages b
             where b.campaign_message_id = s.campaign_message_id and b.campaign_round is not distinct from s.campaign_round
               and b.bubble_no > f.bubble_no and b.bubble_no < s.bubble_no and b.status in ('queued', 'scheduled')) = s.bubble_no - f.bubble_no - 1
      order by s.campaign_message_id, s.bubble_no for update of s skip locked);
    -- none behind one that is not in hand: another claim looks at it just now, or it is for later
    rest := array(
      select s.id from public.scheduled_messages s
      where s.id = any (rest) and not exists (
        select 1 from public.scheduled_messages b
        where b.campaign_message_id = s.campaign_message_id and b.campaign_round is not distinct from s.campaign_round and b.bubble_no < s.bubble_no
          and b.status in ('queued', 'scheduled') and not b.id = any (ids) and not b.id = any (rest))
      order by s.campaign_message_id, s.bubble_no);
    ids := ids || array(select r.id from unnest(rest) with ordinality r (id, n) where not r.id = any (ids) group by r.id order by min(r.n));
  end if;
  return ids;
end
$$;

create or replace function public.gw_claim_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
declare
  me public.gateways := private.my_gateway();
  request text := coalesce(nullif(p ->> 'request_id', ''), gen_random_uuid()::text);
  alone boolean;
  most integer; held integer; waiting integer;
  until timestamptz; lease interval;
  ids bigint[]; owner text; own bigint[]; ranked private.ranked_row[]; fresh private.ranked_row[]; jobs jsonb := jsonb_build_array();
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
        waiting := private.waiting_rows(me, owner, until, most + 50);
        own := private.due_rows(me.pool, owner, until, most + 50 - waiting);
        ranked := case when own <> '{}' then private.rank_rows(own) end;
        ids := ids || private.best_rows(me, owner, until, most - cardinality(ids), ranked);
        fresh := fresh || ranked;
        own := array(select s.id from public.scheduled_messages s   -- pieces of a message that go with the one before them
                     where s.id = any (ids) and s.status = 'scheduled' and not s.id = any (array(select f.id from unnest(fresh) f)));
        if own <> '{}' then fresh := fresh || private.rank_rows(own); end if;
      end loop;
      if fresh <> '{}' then
        update public.scheduled_messages j set status = 'queued', features = f.features, score = f.score, preferred_gateway = f.preferred_gateway,
            claim_rank = f.claim_rank
          from unnest(fresh) f where j.id = f.id and not f.id = any (ids);
        update public.scheduled_messages j set status = 'claimed', claimed_by = me.id, claim_epoch = j.claim_epoch + 1,
            claim_request = request, reason = null, error_message = null,
            pinned = j.offline_ok or alone, claimed_instance = nullif(p ->> 'instance', ''),
            lease_expires_at = greatest(j.scheduled_send_time, now()) + lease,
            features = f.features, score = f.score, preferred_gateway = f.preferred_gateway, claim_rank = f.claim_rank
          from unnest(fresh) f where j.id = f.id and f.id = any (ids);
      end if;
      if ids <> '{}' then
        update public.scheduled_messages j set status = 'claimed', claimed_by = me.id, claim_epoch = j.claim_epoch + 1,
            claim_request = request, reason = null, error_message = null,
            pinned = j.offline_ok or alone, claimed_instance = nullif(p ->> 'instance', ''),
            lease_expires_at = greatest(j.scheduled_send_time, now()) + lease
          where j.id = any (ids) and j.status = 'queued';
      end if;
    end if;
  end if;
  if ids <> '{}' then jobs := private.jobs_json(ids); end if;
  return jsonb_build_object('fenced', false, 'alone', alone, 'jobs', jobs, 'server_now', clock_timestamp());
end
$$;

revoke all on all functions in schema private from public;
