-- Goes and renewals are given by sets: a box that is alone renews thousands of leases, and a go is waited for by a modem.

create or replace function public.gw_begin_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan set join_collapse_limit = 1
set from_collapse_limit = 1 set enable_seqscan = off set jit = off as $$
declare
  me public.gateways := private.my_gateway();
  items jsonb := private.items(p, 'jobs', 500);
  instance text := p ->> 'instance';
  again integer;
  answers jsonb[]; part jsonb[];
begin
  perform private.lock_jobs(items, 'id');
  select * into me from public.gateways g where g.id = me.id for key share;
  if me.enabled is not true then raise sqlstate 'PT403' using message = 'this user is no enabled gateway'; end if;
  perform private.act_as(me.id);
  if private.is_fenced(me, p) then
    answers := array(select jsonb_build_object('id', i -> 'id', 'go', false, 'reason', 'fenced', 'revision', null) from jsonb_array_elements(items) i);
  else
    -- A row that is named again is looked at again, after its first answer.
    for again in select distinct row_number() over (partition by (i ->> 'id')::bigint) from jsonb_array_elements(items) i order by 1 loop
      with x as materialized (
        select w.n, w.item, j.id, j.revision, j.status,
          coalesce(
            private.refusal(j, me, coalesce((w.item ->> 'epoch')::bigint, -1)),
            case when private.is_begun_elsewhere(j, instance) then 'begun-before' end,
            case when j.status = 'claimed' then  -- 'sending' already: the answer was lost, it stands
              case
                when j.revision is distinct from (w.item ->> 'revision')::integer then 'edited'
                when j.cancel_requested_at is not null then 'cancelled'
                when j.expires_at <= clock_timestamp() then 'expired'
                when j.class <> 'reply' and exists (select 1 from public.opt_outs o
                  where o.phone_number = coalesce(w.item ->> 'phone_number', j.phone_number) and o.active) then 'opted-out' end end) as why
        from (select i.n, i.item, row_number() over (partition by (i.item ->> 'id')::bigint order by i.n) as nth
              from jsonb_array_elements(items) with ordinality i (item, n)) w
        left join public.scheduled_messages j on j.id = (w.item ->> 'id')::bigint
        where w.nth = again),
      begun as (
        update public.scheduled_messages s set status = 'sending', begun_instance = instance
          from x where s.id = x.id and x.why is null and x.status = 'claimed')
      select array_agg(jsonb_build_object('n', x.n, 'answer',
          jsonb_build_object('id', x.item -> 'id', 'go', x.why is null, 'reason', x.why, 'revision', x.revision))) into part from x;
      answers := answers || part;
    end loop;
    answers := array(select a -> 'answer' from unnest(answers) a order by (a ->> 'n')::integer);
  end if;
  perform private.seen(me);
  return jsonb_build_object('jobs', to_jsonb(answers), 'server_now', clock_timestamp());
end
$$;

create or replace function public.gw_renew_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan set join_collapse_limit = 1
set from_collapse_limit = 1 set enable_seqscan = off set jit = off as $$
declare
  me public.gateways := private.my_gateway();
  alone boolean := private.is_alone(me);
  lease interval := make_interval(secs => private.bounded(p -> 'lease_s', case when alone then 86400 else 600 end, 10,
                                                          case when alone then 604800 else 3600 end)::double precision);
  items jsonb := private.items(p, 'jobs', 1000);
  at timestamptz;
  answers jsonb;
begin
  perform private.lock_jobs(items, 'id');
  select * into me from public.gateways g where g.id = me.id for key share;
  if me.enabled is not true then raise sqlstate 'PT403' using message = 'this user is no enabled gateway'; end if;
  perform private.act_as(me.id);
  if private.is_fenced(me, p) then
    select jsonb_agg(jsonb_build_object('id', i.item -> 'id', 'held', false, 'reason', 'fenced', 'revision', null, 'cancel_requested', false,
        'lease_expires_at', null) order by i.n)
      into answers from jsonb_array_elements(items) with ordinality i (item, n);
  else
    at := clock_timestamp();
    with x as materialized (
      select i.n, i.item, j.id, j.revision, j.cancel_requested_at is not null as cancel_requested,
        coalesce(private.refusal(j, me, coalesce((i.item ->> 'epoch')::bigint, -1)),
                 -- a row with a go is on its way: after an hour its lease is prolonged no more
                 case when j.status = 'sending' and j.begun_at < at - interval '1 hour' then 'lease' end) as why,
        greatest(j.lease_expires_at, greatest(j.scheduled_send_time, at) + lease) as until
      from jsonb_array_elements(items) with ordinality i (item, n) left join public.scheduled_messages j on j.id = (i.item ->> 'id')::bigint),
    renewed as (
      update public.scheduled_messages s set lease_expires_at = x.until
        from x where s.id = x.id and x.why is null and s.lease_expires_at is distinct from x.until)
    select jsonb_agg(jsonb_build_object('id', x.item -> 'id', 'held', x.why is null, 'reason', x.why, 'revision', x.revision,
        'cancel_requested', x.cancel_requested, 'lease_expires_at', case when x.why is null then x.until end) order by x.n)
      into answers from x;
  end if;
  perform private.seen(me);
  return jsonb_build_object('jobs', coalesce(answers, jsonb_build_array()), 'server_now', clock_timestamp());
end
$$;
