-- An inbound message is an answer to the last one that went out to its number, if that was within 7 days.
create or replace function private.inbound_item(me public.gateways, item jsonb) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  number text := item ->> 'phone_number';
  at timestamptz := coalesce((item ->> 'timestamp')::timestamptz, now());
  customer text;
  question public.messages;
begin
  if nullif(item ->> 'local_id', '') is null then raise exception 'local_id is missing' using errcode = '23502'; end if;
  select case when count(*) = 1 then min(c.member_id) end into customer
    from (select member_id from public.customers where phone = number limit 2) c;
  select * into question from public.messages m
    where m.phone_number = number and m.direction = 'outbound' and m.sent_at <= at and m.sent_at > at - interval '7 days'
    order by m.sent_at desc limit 1;
  insert into public.messages (phone_number, content, status, direction, gateway_id, local_id, "timestamp", modem_timestamp, modem_index,
      iccid, message_hash, part_total, customer_id, in_reply_to, campaign_name, metadata)
    values (number, coalesce(item ->> 'content', ''), 'unread', 'inbound', me.id, (item ->> 'local_id')::uuid,
      at, (item ->> 'modem_timestamp')::timestamptz, (item ->> 'modem_index')::integer,
      item ->> 'iccid', item ->> 'message_hash', (item ->> 'parts')::integer, coalesce(customer, question.customer_id), question.id,
      question.campaign_name, item -> 'metadata')
    on conflict (gateway_id, local_id) where local_id is not null do nothing;
  return case when found then 'applied' else 'duplicate' end;
end
$$;
revoke all on all functions in schema private from public;
