-- The go of gw_begin_v1 decides who sends. A row that its box may send without it (alone in the pool, or offline_ok) is remembered as pinned:
-- when its lease is over, nobody knows whether it went out.
alter table public.scheduled_messages
  add column pinned boolean not null default false,   -- this claim lets the box send it without gw_begin_v1
  add column claimed_instance text;                   -- of the box that made this claim
insert into private.transitions (by_gateway, from_status, to_status) values (true, 'unknown', 'queued');

-- A row as the box gets it.
create or replace function private.job_json(j public.scheduled_messages, alone boolean) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', j.id, 'epoch', j.claim_epoch, 'revision', j.revision, 'status', j.status,
    'phone_number', j.phone_number, 'content', j.message_content, 'class', j.class, 'priority', j.priority,
    'send_at', j.scheduled_send_time, 'expires_at', j.expires_at, 'lease_expires_at', j.lease_expires_at,
    'offline_ok', j.pinned, 'instance', j.claimed_instance, 'on_unknown', j.on_unknown, 'campaign_name', j.campaign_name,
    'cancel_requested', j.cancel_requested_at is not null,
    'consent', exists (select 1 from public.consents c
                       where c.phone_number = j.phone_number and c.class = j.class and c.revoked_at is null),
    'opted_out', private.is_opted_out(j.phone_number))
$$;

-- Rows whose time is over: leases back to the queue, what may have gone out to unknown, the rest to expired. Bounded.
create or replace function private.reap(in_pool text, most integer) returns integer
language plpgsql volatile security definer set search_path = '' as $$
declare n integer; total integer := 0;
begin
  perform private.act_as('reaper');
  with c as (select id, (status = 'sending' or pinned) as doubtful
             from public.scheduled_messages where pool = in_pool and status in ('claimed', 'sending') and lease_expires_at < now()
             order by lease_expires_at limit most for update skip locked)
  update public.scheduled_messages j set
      status = case when c.doubtful and j.on_unknown is distinct from 'resend' then 'unknown' else 'queued' end,
      delivery_status = case when c.doubtful and j.on_unknown is distinct from 'resend' then 'unknown' else j.delivery_status end,
      reason = case when c.doubtful then 'lease-over' else j.reason end,
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

create or replace function public.gw_claim_v1(p jsonb default '{}') returns jsonb
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
          pinned = j.offline_ok or alone, claimed_instance = nullif(p ->> 'instance', ''),
          lease_expires_at = greatest(j.scheduled_send_time, now()) + lease
        from c where j.id = c.id;
    end if;
  end if;
  select coalesce(jsonb_agg(private.job_json(j, alone) order by j.priority desc, j.scheduled_send_time, j.id), '[]') into jobs
    from public.scheduled_messages j where j.claimed_by = me.id and j.claim_request = request and j.status in ('claimed', 'sending');
  return jsonb_build_object('fenced', false, 'alone', alone, 'jobs', jobs, 'server_now', clock_timestamp());
end
$$;

-- One event of a scheduled message; its verdict.
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
    update public.scheduled_messages s set status = 'queued', claimed_by = null, claim_request = null, lease_expires_at = null,
        delivery_status = 'none', reason = item ->> 'reason', error_message = item ->> 'reason_text'
      where s.id = j.id and (s.status in ('claimed', 'sending') or s.status = 'unknown' and s.reason = 'lease-over');
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
