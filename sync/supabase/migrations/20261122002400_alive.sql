-- A box that hears the doorbell need not poll to be there: its heartbeat, once a minute, counts as a claim where it says that it claims what
-- rings. Within two minutes of the last one the rows of its recipients are its own.
create or replace function private.report_item(me public.gateways, item jsonb) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  kind text := item ->> 'kind';
  event uuid := (item ->> 'event_id')::uuid;
  at timestamptz := coalesce((item ->> 'at')::timestamptz, now());
  job bigint := (item ->> 'job_id')::bigint;
  -- The status that the kind leads to; null for kinds that lead to none.
  next_status text := case when kind in ('attempt', 'part') then 'sending'
    when kind in ('sent', 'delivered', 'undelivered', 'failed', 'expired', 'cancelled', 'suppressed', 'unknown') then kind end;
  next_rank integer := private.status_rank(next_status);
  j public.scheduled_messages;
  result text := 'applied';
begin
  if kind = 'heartbeat' then
    update public.gateways g set last_seen_at = now(), heartbeat = item - 'kind' - 'event_id',
        last_claim_at = case when item ->> 'claims' = 'true' then now() else g.last_claim_at end
      where g.id = me.id;
    return 'applied';
  end if;
  if event is null then raise exception 'event_id is missing' using errcode = '23502'; end if;
  insert into public.message_events (event_id, gateway_id, job_id, claim_epoch, kind, part, at, detail, verdict)
    values (event, me.id, job, (item ->> 'epoch')::bigint, kind, (item ->> 'part')::integer, at,
            item - array['event_id', 'job_id', 'epoch', 'kind', 'at', 'content'], 'applied')
    on conflict (event_id) do nothing;
  if not found then return 'duplicate'; end if;
  if kind in ('opt_out', 'opt_in') then
    result := private.apply_opt_out(me, item, kind, at);
  elsif job is not null then
    select * into j from public.scheduled_messages s where s.id = job for update;
    result := private.apply_job_event(me, item, kind, next_status, next_rank, at, j);
  elsif item ->> 'local_id' is not null then     -- a message of the box's own: logged, no row of scheduled_messages
    perform private.log_message(me, item, kind, next_status, next_rank, at, null);
  else
    raise exception 'neither job_id nor local_id' using errcode = '23502';
  end if;
  if result <> 'applied' then update public.message_events e set verdict = result where e.event_id = event; end if;
  return result;
end
$$;
