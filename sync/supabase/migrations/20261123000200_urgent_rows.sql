-- What is urgent is promoted also while enough is queued that the box could take: where a box that held hundreds of rows was gone, a code or an
-- order's message of high priority waited until all of those had gone out.

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

create or replace function public.gw_claim_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
declare
  me public.gateways := private.my_gateway();
  request text := coalesce(nullif(p ->> 'request_id', ''), gen_random_uuid()::text);
  alone boolean; others text[];
  most integer; held integer; again integer; waiting integer;
  until timestamptz; lease interval;
  ids bigint[]; pieces bigint[]; owner text; due private.due_row[]; fresh private.due_row[]; best private.best_rows;
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
        due := private.due_rows(me.pool, owner, until, most + 50 - waiting, most);
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

revoke all on all functions in schema private from public;
