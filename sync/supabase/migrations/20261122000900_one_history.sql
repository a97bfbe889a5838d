-- One identity, one history. A box that was cloned, or whose database was put back, does not know what its other self has sent: what that
-- one began, or could send without asking, is not sent by this one.
alter table public.gateway_instances add column word text check (length(word) <= 128);   -- of the process that said hello last
alter table public.scheduled_messages add column begun_instance text;                     -- of the box that got the go of this claim

-- `word` is new in each process of a box, `words` are those that it said before and of which it does not know whether they were heard. A hello
-- that knows neither the last word nor one before it comes from a copy of that box: it is `forked`, and begins an instance of its own.
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
  select * into me from public.gateways g where g.id = me.id for no key update;
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

-- True when the row may have gone out through another instance of this box: it was begun by it, or could leave without asking.
create function private.is_begun_elsewhere(j public.scheduled_messages, instance text) returns boolean
language sql immutable set search_path = '' as $$
  select coalesce(case when j.status = 'claimed' or j.begun_instance is null then j.pinned and j.claimed_instance <> instance
                       else j.begun_instance <> instance end, false)
$$;

-- `adopt`: instances that are no more ("*": all others). Their pinned rows that are not due yet become this one's.
create or replace function public.gw_mine_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  alone boolean := private.is_alone(me);
  after_id bigint := private.bounded(p -> 'after', 0, 0, 9e18);
  most integer := private.bounded(p -> 'limit', 500, 1, 1000);
  jobs jsonb := '[]'::jsonb;
begin
  perform private.seen(me);
  if not private.is_fenced(me, p) then
    if jsonb_typeof(p -> 'adopt') = 'array' and jsonb_array_length(p -> 'adopt') > 0 and p ->> 'instance' is not null then
      perform private.act_as(me.id);
      update public.scheduled_messages s set claimed_instance = p ->> 'instance'
        where s.claimed_by = me.id and s.status = 'claimed' and s.pinned and s.scheduled_send_time > now()
          and s.claimed_instance <> p ->> 'instance' and (p -> 'adopt' ? '*' or p -> 'adopt' ? s.claimed_instance);
    end if;
    select coalesce(jsonb_agg(private.job_json(j, alone) order by j.id), '[]') into jobs from (
      select * from public.scheduled_messages s
      where s.claimed_by = me.id and s.status in ('claimed', 'sending') and s.id > after_id order by s.id limit most) j;
  end if;
  return jsonb_build_object('fenced', private.is_fenced(me, p), 'alone', alone, 'jobs', jobs, 'server_now', clock_timestamp(),
    'next', case when jsonb_array_length(jobs) = most then jobs -> -1 -> 'id' end);
end
$$;

create or replace function public.gw_begin_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  items jsonb := private.items(p, 'jobs', 500);
  item jsonb; j public.scheduled_messages; why text; answers jsonb := '[]'::jsonb;
begin
  perform private.seen(me);
  perform private.act_as(me.id);
  perform private.lock_jobs(items, 'id');
  for item in select jsonb_array_elements(items) loop
    j := null;
    if private.is_fenced(me, p) then
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
  return jsonb_build_object('jobs', answers, 'server_now', clock_timestamp());
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
    if private.is_begun_elsewhere(j, item ->> 'instance') then return 'stale_epoch'; end if;   -- not by the one who says so
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

-- A new claim is begun by nobody yet.
create function private.forget_begun() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.begun_instance := null;
  return new;
end
$$;
create trigger new_claim before update of claim_epoch on public.scheduled_messages
  for each row when (new.claim_epoch <> old.claim_epoch) execute function private.forget_begun();

revoke all on all functions in schema private from public;
