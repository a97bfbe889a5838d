-- A row that its box may send without asking is nobody else's while the box has not been told, whoever wants it to go out again.

-- Whether a box was told of a row is asked by the row.
create index gateway_commands_job on public.gateway_commands (job_id, claim_epoch) where job_id is not null;

-- True when the box of this claim acknowledged that it is over, or said itself that it did not send the row.
create function private.gave_up(j public.scheduled_messages) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return exists (select 1 from public.gateway_commands g where g.job_id = j.id and g.claim_epoch = j.claim_epoch and g.gateway_id = j.claimed_by
                   and g.kind = 'cancel' and g.acked_at is not null)
      or exists (select 1 from public.message_events e where e.job_id = j.id and e.claim_epoch = j.claim_epoch and e.gateway_id = j.claimed_by
                   and e.kind in ('cancelled', 'released') and e.verdict = 'applied');
end
$$;

-- What a person took back from a box that is away may be on a modem: it is scheduled again when the box knows, or its lease is over. Who wants
-- another message sent to the number at once inserts one.
create function private.refuse_untold() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if private.actor() = '' and not private.gave_up(old) then
    raise exception 'gateway "%" may still send this row, until %: cancel it, and schedule it again when the gateway has acknowledged that',
      old.claimed_by, old.lease_expires_at using errcode = '23514';
  end if;
  return new;
end
$$;
create trigger guard_untold before update of status on public.scheduled_messages
  for each row when (new.status = 'scheduled' and old.pinned and old.claimed_by is not null and old.lease_expires_at > now()
    and old.status not in ('undelivered', 'failed', 'expired', 'suppressed', 'unknown', 'sending'))
  execute function private.refuse_untold();

create or replace function private.resume_rows(campaign text) returns integer
language plpgsql volatile security definer set search_path = '' as $$
declare n integer; ids bigint[]; before text := private.actor();
begin
  ids := array(select j.id from public.scheduled_messages j join public.campaigns k on k.campaign_name = j.campaign_name
               where j.status = 'approved' and j.reason = 'campaign-paused' and k.status not in ('paused', 'cancelled')
                 and (campaign is null or k.campaign_name = campaign)
                 and j.pinned and j.claimed_by is not null and j.on_unknown is distinct from 'resend' and coalesce(j.lease_expires_at <= now(), true)
                 and not private.gave_up(j)
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
             and not private.gave_up(j));
  get diagnostics n = row_count;
  return n;
end
$$;

revoke all on all functions in schema private from public;
