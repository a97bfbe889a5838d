-- What stopped others: queued rows that nobody may take yet stop no promotion, what a box may have sent while it was away is no longer sent by
-- another, and no time is set that a box cannot read.

-- How many queued rows this box could claim, up to `most`: the conditions are those of best_rows.
create function private.waiting_rows(me public.gateways, owner text, until timestamptz, most integer) returns integer
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
      and (s.bubble_no = 1 or s.campaign_message_id is null or not exists (
        select 1 from public.scheduled_messages b
        where b.campaign_message_id = s.campaign_message_id and b.bubble_no < s.bubble_no
          and b.campaign_round is not distinct from s.campaign_round
          and b.status not in ('sent', 'delivered', 'undelivered', 'unknown')
          and not (b.status in ('claimed', 'sending') and b.claimed_by = me.id)))
    limit most) w;
  return n;
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
        waiting := private.waiting_rows(me, owner, until, most + 50);
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

-- Rows that a pause took back go on, except those that a box which is away may still send: they wait until it has been told. When the lease is
-- over first, what became of them is unknown until the box tells.
create or replace function private.resume_rows(campaign text) returns integer
language plpgsql volatile security definer set search_path = '' as $$
declare n integer; ids bigint[]; before text := private.actor();
begin
  ids := array(select j.id from public.scheduled_messages j join public.campaigns k on k.campaign_name = j.campaign_name
               where j.status = 'approved' and j.reason = 'campaign-paused' and k.status not in ('paused', 'cancelled')
                 and (campaign is null or k.campaign_name = campaign)
                 and j.pinned and j.claimed_by is not null and j.on_unknown is distinct from 'resend' and coalesce(j.lease_expires_at <= now(), true)
                 and exists (select 1 from public.gateway_commands g where g.gateway_id = j.claimed_by and g.kind = 'cancel' and g.job_id = j.id
                             and g.claim_epoch = j.claim_epoch and g.acked_at is null)
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
             and exists (select 1 from public.gateway_commands g where g.gateway_id = j.claimed_by and g.kind = 'cancel' and g.job_id = j.id
                         and g.claim_epoch = j.claim_epoch and g.acked_at is null));
  get diagnostics n = row_count;
  return n;
end
$$;

-- One event of a scheduled message; its verdict.
insert into private.transitions (by_gateway, from_status, to_status) values (true, 'unknown', 'approved');
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
    update public.scheduled_messages s set status = 'queued', claimed_by = null, claim_request = null, lease_expires_at = null,
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

-- A year of five digits, as '9999-12-31 23:59:59' is in UTC when said west of Greenwich, is no time to a box. What is there is moved to the
-- nearest time that is one: 'never' stays a time that nobody sees.
update public.scheduled_messages set
    scheduled_send_time = least(greatest(scheduled_send_time, '2000-01-01 00:00:00+00'), '9998-12-31 23:59:59+00'),
    expires_at = case when expires_at is not null then least(greatest(expires_at, '2000-01-01 00:00:00+00'), '9998-12-31 23:59:59+00') end
  where scheduled_send_time < '2000-01-01 00:00:00+00' or scheduled_send_time >= '9999-01-01 00:00:00+00'
     or expires_at < '2000-01-01 00:00:00+00' or expires_at >= '9999-01-01 00:00:00+00';
alter table public.scheduled_messages
  add constraint scheduled_send_time_is_in_years_2000_to_9998
    check (scheduled_send_time >= '2000-01-01 00:00:00+00' and scheduled_send_time < '9999-01-01 00:00:00+00'),
  add constraint expires_at_is_in_years_2000_to_9998
    check (expires_at >= '2000-01-01 00:00:00+00' and expires_at < '9999-01-01 00:00:00+00');

revoke all on all functions in schema private from public;
