-- Transitions of scheduled_messages and messages, edits and cancels after a claim.

create table private.transitions (
  by_gateway boolean not null, from_status text not null, to_status text not null,
  primary key (by_gateway, from_status, to_status)
);
-- People and programs plan, review, cancel and ask for another round.
insert into private.transitions
select false, f, t from (values
  ('draft', array['approved', 'rejected', 'scheduled', 'cancelled']),
  ('approved', array['draft', 'rejected', 'scheduled', 'cancelled', 'expired']),
  ('rejected', array['draft']),
  ('scheduled', array['draft', 'approved', 'cancelled']),
  ('queued', array['scheduled', 'cancelled']),
  ('claimed', array['scheduled', 'cancelled']),
  ('undelivered', array['scheduled']),
  ('failed', array['scheduled']),
  ('expired', array['scheduled']),
  ('cancelled', array['scheduled']),
  ('suppressed', array['scheduled']),
  ('unknown', array['scheduled'])) v (f, ts), unnest(ts) t;
-- The protocol moves forward, hands rows back, and lets evidence correct a final state upwards.
insert into private.transitions
select true, f, t from (values
  ('scheduled', array['queued', 'expired']),
  ('queued', array['claimed', 'expired', 'sending', 'sent', 'delivered', 'undelivered', 'failed', 'cancelled', 'suppressed', 'unknown']),
  ('claimed', array['queued', 'sending', 'sent', 'delivered', 'undelivered', 'failed', 'expired', 'cancelled', 'suppressed', 'unknown']),
  ('sending', array['queued', 'sent', 'delivered', 'undelivered', 'failed', 'expired', 'cancelled', 'suppressed', 'unknown']),
  ('cancelled', array['unknown', 'failed', 'expired', 'suppressed', 'sent', 'undelivered', 'delivered']),
  ('unknown', array['failed', 'expired', 'suppressed', 'sent', 'undelivered', 'delivered']),
  ('failed', array['sent', 'undelivered', 'delivered']),
  ('expired', array['sent', 'undelivered', 'delivered']),
  ('suppressed', array['sent', 'undelivered', 'delivered']),
  ('sent', array['undelivered', 'delivered']),
  ('undelivered', array['delivered'])) v (f, ts), unnest(ts) t;

create function private.scheduled_before() returns trigger
language plpgsql security definer set search_path = '' as $$
declare by_gateway boolean := private.actor() <> '';
begin
  if tg_op = 'INSERT' then
    if new.status in ('queued', 'claimed', 'sending') and not by_gateway then
      raise exception 'a new row starts as draft, approved or scheduled, not %', new.status using errcode = '23514';
    end if;
    return new;
  end if;
  new.updated_at := clock_timestamp();
  if new.cancel_requested_at is not null and old.cancel_requested_at is null and not by_gateway
     and old.status in ('draft', 'approved', 'scheduled', 'queued', 'claimed') and new.status = old.status then
    new.status := 'cancelled';
  end if;
  if new.status <> old.status then
    if not exists (select 1 from private.transitions t
                   where t.by_gateway = (private.actor() <> '') and t.from_status = old.status and t.to_status = new.status) then
      raise exception 'status may not go from % to %', old.status, new.status using errcode = '23514';
    end if;
    if not by_gateway and new.status = 'cancelled' then
      new.cancel_requested_at := coalesce(new.cancel_requested_at, now());
      new.reason := coalesce(new.reason, 'cancelled');
    elsif not by_gateway and new.status = 'scheduled' then   -- a new round: a fresh claim follows
      new.claimed_by := null; new.claim_request := null; new.lease_expires_at := null; new.cancel_requested_at := null;
      new.delivery_status := 'none'; new.actual_send_time := null; new.reason := null; new.error_message := null;
    end if;
  end if;
  if (new.phone_number, new.message_content, new.scheduled_send_time, new.expires_at, new.class, new.on_unknown, new.pool, new.gateway_id)
     is distinct from
     (old.phone_number, old.message_content, old.scheduled_send_time, old.expires_at, old.class, old.on_unknown, old.pool, old.gateway_id) then
    new.revision := old.revision + 1;
  end if;
  return new;
end
$$;
create trigger guard before insert or update on public.scheduled_messages
  for each row execute function private.scheduled_before();

-- A box that holds the row is told of a cancel or an edit; the truth stays with gw_begin_v1.
create function private.scheduled_after() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if private.actor() <> '' then return null; end if;
  if new.status not in ('claimed', 'sending') or (new.cancel_requested_at is not null and old.cancel_requested_at is null) then
    insert into public.gateway_commands (gateway_id, kind, job_id, claim_epoch, payload)
    values (old.claimed_by, 'cancel', old.id, old.claim_epoch, jsonb_build_object('status', new.status));
  elsif new.revision <> old.revision then
    insert into public.gateway_commands (gateway_id, kind, job_id, claim_epoch, payload)
    values (old.claimed_by, 'edit', old.id, old.claim_epoch, jsonb_build_object('revision', new.revision));
  end if;
  return null;
end
$$;
create trigger tell_gateway after update on public.scheduled_messages
  for each row when (old.status in ('claimed', 'sending') and old.claimed_by is not null
    and (new.status, new.revision, new.cancel_requested_at) is distinct from (old.status, old.revision, old.cancel_requested_at))
  execute function private.scheduled_after();

-- Boxes write messages; people mark inbound ones as read, and nothing else of their state.
create function private.messages_before() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if new.status <> old.status and private.actor() = '' and not (old.direction = 'inbound' and new.status in ('unread', 'read')) then
    raise exception 'status may not go from % to %', old.status, new.status using errcode = '23514';
  end if;
  return new;
end
$$;
create trigger guard before update of status on public.messages
  for each row execute function private.messages_before();

revoke all on all functions in schema private from public;
revoke all on all tables in schema private from public, anon, authenticated;
