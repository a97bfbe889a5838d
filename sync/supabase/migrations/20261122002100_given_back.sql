-- A box that a newer instance of it replaced gives back what it had the go for and never sent: the newer one, which cannot know, has called
-- that unknown (begun-before). The log says that it went nowhere.
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
    if j.status = 'unknown' and j.reason = 'begun-before' then
      if item ->> 'instance' is null then return 'stale_epoch'; end if;
      update public.messages m set status = 'cancelled', delivery_status = 'none', reason = item ->> 'reason', error_message = item ->> 'reason_text'
        where m.scheduled_message_id = j.id and m.claim_epoch = j.claim_epoch and m.status = 'unknown';
    end if;
    update public.scheduled_messages s set
        status = case when s.scheduled_send_time > now() + interval '5 minutes' then 'scheduled' else 'queued' end,
        claimed_by = null, claim_request = null, lease_expires_at = null,
        delivery_status = 'none', reason = item ->> 'reason', error_message = item ->> 'reason_text'
      where s.id = j.id and (s.status in ('claimed', 'sending') or s.status = 'unknown' and s.reason in ('lease-over', 'begun-before'));
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
