-- A claim looks at a row once: what its steps ask about a row that is due goes along with its id. Fewer statements to plan make a session's
-- first claim cheaper, and the answer is written down once. What is urgent is promoted also while enough is queued that the box could take:
-- where a box that held hundreds of rows was gone, a code or an order's message of high priority waited until all of those had gone out.

-- A row that is due, with what is known of its recipient: what the promotion writes.
create type private.due_row as (
  id bigint, customer_id text, phone_number text, priority numeric, send_time timestamptz, expires_at timestamptz,
  set_id bigint, set_round integer, set_no integer, set_total integer,
  features jsonb, score numeric, claim_rank timestamptz, preferred_gateway text);
-- What is known of a recipient, as a box gets it.
create type private.recipient as (
  last_visit date, cycle_days numeric, value_percentile numeric, visits integer, tier text, state text, prime_window date[],
  last_contact timestamptz, sent bigint, replied bigint, sent_30_days bigint);
-- The ids of rows that a box may claim, best first; in_sets: some have pieces behind them.
create type private.claimable as (ids bigint[], in_sets boolean);

-- The rows that are due, of this box alone (owner) or of any box (owner ''), locked: `most`, and of those that are urgent up to `urgent` in any case.
drop function private.due_rows(text, text, timestamptz, integer);
create function private.due_rows(in_pool text, owner text, until timestamptz, most integer, urgent integer) returns private.due_row[]
language plpgsql volatile security definer set search_path = '' as $$
declare due private.due_row[]; more private.due_row[]; here integer := greatest(most, urgent);
begin
  for lane in 0..1 loop
    exit when here <= 0;
    more := array(select (s.id, s.customer_id, s.phone_number, s.priority, s.scheduled_send_time, s.expires_at, s.campaign_message_id,
                          s.campaign_round, s.bubble_no, s.bubble_total, null, null, null, null)::private.due_row
                  from public.scheduled_messages s
                  where s.pool = in_pool and coalesce(s.gateway_id, '') = owner
                    and (case when s.class <> 'marketing' or s.priority > 50 then 0 else 1 end) = lane and s.status = 'scheduled' and s.scheduled_send_time <= until
                  order by s.scheduled_send_time limit here for update skip locked);
    due := due || more;
    here := most - cardinality(due);
  end loop;
  return due;
end
$$;

-- What is known of each recipient. A number of several customers is nobody's.
-- The joins are planned as they stand: looking for a better order takes longer than the query. Messages come by their index, in order.
drop function private.rank_rows(bigint[]);
create function private.rank_rows(due private.due_row[]) returns private.due_row[]
language plpgsql stable security definer set search_path = '' set join_collapse_limit = 1 set from_collapse_limit = 1 set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return array(
  select (f.id, f.customer_id, f.phone_number, f.priority, f.send_time, f.expires_at, f.set_id, f.set_round, f.set_no, f.set_total,
          f.known, f.points, f.send_time - f.points::double precision * interval '144 seconds', f.last_gateway)::private.due_row
  from (
    select d.*, h.last_gateway,
      jsonb_strip_nulls(to_jsonb((c.last_visited, v.avg_days_between_visits, w.percentile, c.total_visits, c.vip_status, c.state,
        case when c.last_visited is not null then array[c.last_visited + floor(0.8 * y.cycle)::integer, c.last_visited + ceil(1.2 * y.cycle)::integer] end,
        h.last_contact, h.sent, h.replied, h.sent_30_days)::private.recipient)) as known,
      round(least(100, greatest(0,
        35 * case when c.last_visited is null then 0.5 else private.urgency(extract(epoch from now() - c.last_visited::timestamptz) / 86400 / y.cycle) end
        + 25 * coalesce(w.percentile, case c.vip_status when 'VIP' then 1.0 when 'Regular' then 0.6 when 'Casual' then 0.3 when 'New' then 0.1 end, 0.5)
        + 15 * d.priority / 100
        + 25 * case when h.sent = 0 then 0.5 else least(1, 2 * (h.replied + 1.0) / (h.sent + 4)) end
        - 10 * least(1, h.sent_30_days / 8.0))), 1) as points
    from unnest(due) d
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
                   min(m.at) filter (where m.direction = 'inbound') over (order by m.at desc rows between unbounded preceding and 1 preceding) as answered_at
            from (select l.direction, l.sent_at, l."timestamp" as at, l.gateway_id from public.messages l
                  where l.phone_number = d.phone_number order by l."timestamp" desc limit 60) m) e) h
    offset 0) f);                                -- offset: the score is worked out once
end
$$;

-- How many queued rows this box could claim, up to `most`: the conditions are those of best_rows.
drop function private.waiting_rows(public.gateways, text, timestamptz, integer);
create function private.waiting_rows(me public.gateways, others text[], owner text, until timestamptz, most integer) returns integer
language plpgsql stable security definer set search_path = '' as $$
begin
  return (select count(*) from (
    select 1 from public.scheduled_messages s
    where s.pool = me.pool and coalesce(s.gateway_id, '') = owner and s.status = 'queued'
      and s.scheduled_send_time <= until and (s.expires_at is null or s.expires_at > now())
      and not (coalesce(s.preferred_gateway = any (others), false) and s.scheduled_send_time > now() - interval '2 minutes')
      and (s.bubble_no = 1 or s.campaign_message_id is null or private.may_follow(s.campaign_message_id, s.campaign_round, s.bubble_no, me.id, others))
    limit most) w);
end
$$;

-- The rows that this box may claim, best first: of those that are queued, locked, and of those that are due now (fresh).
drop function private.best_rows(public.gateways, text, timestamptz, integer, private.ranked_row[]);
create function private.best_rows(me public.gateways, others text[], owner text, until timestamptz, most integer, fresh private.due_row[])
returns private.claimable
language plpgsql volatile security definer set search_path = '' as $$
declare best private.claimable;
begin
  select array_agg(c.id order by c.priority desc, c.claim_rank, c.id), bool_or(c.set_no < c.set_total) into best
  from (
    select q.* from (
      select s.id, s.priority, s.claim_rank, s.bubble_no as set_no, s.bubble_total as set_total from public.scheduled_messages s
      where s.pool = me.pool and coalesce(s.gateway_id, '') = owner and s.status = 'queued'
        and s.scheduled_send_time <= until and (s.expires_at is null or s.expires_at > now())
        and not (coalesce(s.preferred_gateway = any (others), false) and s.scheduled_send_time > now() - interval '2 minutes')
        and (s.bubble_no = 1 or s.campaign_message_id is null
             or private.may_follow(s.campaign_message_id, s.campaign_round, s.bubble_no, me.id, others))
      order by s.priority desc, s.claim_rank, s.id limit most for update skip locked) q
    union all
    select f.id, f.priority, f.claim_rank, f.set_no, f.set_total from unnest(fresh) f
    where (f.expires_at is null or f.expires_at > now())
      and not (coalesce(f.preferred_gateway = any (others), false) and f.send_time > now() - interval '2 minutes')
      and (f.set_no = 1 or f.set_id is null or private.may_follow(f.set_id, f.set_round, f.set_no, me.id, others))
    order by priority desc, claim_rank, id limit most) c;
  return best;
end
$$;

-- The pieces behind those that are in hand, locked, as far as they are there without a gap, promoted or not: each is due some seconds after the
-- one before.
create function private.next_pieces(me public.gateways, owner text, until timestamptz, ids bigint[]) returns bigint[]
language plpgsql volatile security definer set search_path = '' as $$
declare rest bigint[];
begin
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
  return array(
    select s.id from public.scheduled_messages s
    where s.id = any (rest) and not s.id = any (ids) and not exists (
      select 1 from public.scheduled_messages b
      where b.campaign_message_id = s.campaign_message_id and b.campaign_round is not distinct from s.campaign_round and b.bubble_no < s.bubble_no
        and b.status in ('queued', 'scheduled') and not b.id = any (ids) and not b.id = any (rest))
    order by s.campaign_message_id, s.bubble_no);
end
$$;
-- Of these rows those that nobody promoted yet.
create function private.unranked_rows(ids bigint[], fresh private.due_row[]) returns private.due_row[]
language plpgsql stable security definer set search_path = '' as $$
begin
  return array(select (s.id, s.customer_id, s.phone_number, s.priority, s.scheduled_send_time, s.expires_at, s.campaign_message_id,
                       s.campaign_round, s.bubble_no, s.bubble_total, null, null, null, null)::private.due_row
               from public.scheduled_messages s
               where s.id = any (ids) and s.status = 'scheduled' and not s.id = any (array(select f.id from unnest(fresh) f)));
end
$$;

-- Rows as the box gets them, in the order of the ids. As rows of that shape: they become jsonb in one go, with what is around them.
create type private.job as (
  id bigint, epoch bigint, revision integer, status text, phone_number text, content text, class text, priority numeric, score numeric,
  send_at timestamptz, expires_at timestamptz, lease_expires_at timestamptz, offline_ok boolean, instance text, on_unknown text, campaign_name text,
  cancel_requested boolean, consent boolean, opted_out boolean, set text, set_no integer, set_total integer, state text, customer jsonb);
drop function private.jobs_json(bigint[]);
create function private.jobs_json(ids bigint[]) returns private.job[]
language plpgsql stable security definer set search_path = '' as $$
begin
  return array(
    select (j.id, j.claim_epoch, j.revision, j.status, j.phone_number, j.message_content, j.class, j.priority, j.score,
      j.scheduled_send_time, j.expires_at, j.lease_expires_at, j.pinned, j.claimed_instance, j.on_unknown,
      j.campaign_name, j.cancel_requested_at is not null,
      exists (select 1 from public.consents c where c.phone_number = j.phone_number and c.class = j.class and c.revoked_at is null),
      exists (select 1 from public.opt_outs o where o.phone_number = j.phone_number and o.active),
      'campaign-message-' || j.campaign_message_id, j.bubble_no, j.bubble_total,
      j.features ->> 'state', coalesce(j.features, '{}') - 'state')::private.job
    from unnest(ids) with ordinality i (id, n) join public.scheduled_messages j on j.id = i.id order by i.n);
end
$$;

create or replace function public.gw_claim_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
declare
  me public.gateways := private.my_gateway();
  request text := coalesce(nullif(p ->> 'request_id', ''), gen_random_uuid()::text);
  alone boolean; others text[];
  most integer; held integer; again integer; waiting integer;
  until timestamptz; lease interval;
  ids bigint[]; pieces bigint[]; owner text; due private.due_row[]; fresh private.due_row[]; best private.claimable;
begin
  if length(request) > 128 then raise sqlstate 'PT400' using message = '"request_id" is too long'; end if;
  -- Claims of one box wait for each other. Looked at again behind the lock: a newer instance may have come, or the box been disabled.
  select * into me from public.gateways g where g.id = me.id for no key update;
  if me.enabled is not true then raise sqlstate 'PT403' using message = 'this user is no enabled gateway'; end if;
  select count(*) = 0, coalesce(array_agg(g.id) filter (where g.last_claim_at > now() - interval '2 minutes'), '{}') into alone, others
    from public.gateways g where g.pool = me.pool and g.enabled and g.id <> me.id;
  if private.is_fenced(me, p) then
    return jsonb_build_object('fenced', true, 'alone', alone, 'jobs', jsonb_build_array(), 'server_now', clock_timestamp());
  end if;
  if me.last_claim_at is null or me.last_claim_at < now() - interval '30 seconds' then
    update public.gateways set last_claim_at = now(), last_seen_at = now() where id = me.id;
  end if;
  select count(*), count(*) filter (where s.claim_request = request) into held, again
    from public.scheduled_messages s where s.claimed_by = me.id and s.status in ('claimed', 'sending');
  if again > 0 then                              -- the answer was lost: the same rows
    ids := array(select s.id from public.scheduled_messages s
                 where s.claimed_by = me.id and s.claim_request = request and s.status in ('claimed', 'sending')
                 order by s.priority desc, s.claim_rank, s.id);
  else
    if private.reap(me.pool, 200) > 0 then
      select count(*) into held from public.scheduled_messages s where s.claimed_by = me.id and s.status in ('claimed', 'sending');
    end if;
    most := least(private.bounded(p -> 'limit', 20, 0, case when alone then 500 else 20 end), me.max_inflight - held);
    if most > 0 then
      until := now() + interval '1 second' * private.bounded(p -> 'horizon_s', case when alone then 345600 else 300 end, 0,
                                                             case when alone then 604800 else 3600 end)::double precision;
      lease := interval '1 second' * private.bounded(p -> 'lease_s', case when alone then 86400 else 600 end, 10,
                                                     case when alone then 604800 else 3600 end)::double precision;
      perform private.act_as(me.id);
      foreach owner in array array[me.id, ''] loop   -- what this box alone may send goes first
        waiting := private.waiting_rows(me, others, owner, until, most + 50);
        due := private.due_rows(me.pool, owner, until, most + 50 - waiting, most - coalesce(cardinality(ids), 0));
        continue when waiting = 0 and cardinality(due) = 0;
        if cardinality(due) > 0 then
          due := private.rank_rows(due);
          fresh := fresh || due;
        end if;
        continue when most <= cardinality(ids);
        best := private.best_rows(me, others, owner, until, most - coalesce(cardinality(ids), 0), due);
        ids := ids || best.ids;
        if best.in_sets then
          pieces := private.next_pieces(me, owner, until, best.ids);
          ids := ids || pieces;
          due := private.unranked_rows(pieces, fresh);
          if cardinality(due) > 0 then fresh := fresh || private.rank_rows(due); end if;
        end if;
      end loop;
      if cardinality(ids) > 0 or cardinality(fresh) > 0 then
        update public.scheduled_messages j set
            status = case when f.taken then 'claimed' else 'queued' end,
            claimed_by = case when f.taken then me.id else j.claimed_by end,
            claim_epoch = j.claim_epoch + f.taken::integer,
            claim_request = case when f.taken then request else j.claim_request end,
            reason = case when not f.taken then j.reason end,
            error_message = case when not f.taken then j.error_message end,
            pinned = case when f.taken then j.offline_ok or alone else j.pinned end,
            claimed_instance = case when f.taken then nullif(p ->> 'instance', '') else j.claimed_instance end,
            lease_expires_at = case when f.taken then greatest(j.scheduled_send_time, now()) + lease else j.lease_expires_at end,
            features = case when f.ranked then f.features else j.features end,
            score = case when f.ranked then f.score else j.score end,
            claim_rank = case when f.ranked then f.claim_rank else j.claim_rank end,
            preferred_gateway = case when f.ranked then f.preferred_gateway else j.preferred_gateway end
          from (select coalesce(i, r.id) as id, i is not null as taken, r.id is not null as ranked, r.features, r.score, r.claim_rank, r.preferred_gateway
                from unnest(ids) i full join unnest(fresh) r on r.id = i) f
          where j.id = f.id;
      end if;
    end if;
  end if;
  return jsonb_build_object('fenced', false, 'alone', alone, 'jobs', case when ids is null then '{}' else private.jobs_json(ids) end,
    'server_now', clock_timestamp());
end
$$;

drop type private.ranked_row;
revoke all on all functions in schema private from public;
