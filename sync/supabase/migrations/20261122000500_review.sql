-- From a suggestion to the queue: review, planning, hand-off, pause and cancel of a campaign, and the results that flow back.
-- suggested -> approved -> scheduled -> exported -> sent or failed; whoever changes or rejects a text gives a reason.

create function private.require_role(variadic roles text[]) returns uuid
language plpgsql stable security definer set search_path = '' as $$
declare me uuid := nullif(private.jwt() ->> 'sub', '')::uuid;
begin
  if not exists (select 1 from public.staff_roles r where r.user_id = me and r.role = any (roles)) then
    raise sqlstate 'PT403' using message = 'this needs one of the roles: ' || array_to_string(roles, ', ');
  end if;
  return me;
end
$$;

-- The first {variable} that nobody replaced, or null.
create function private.unreplaced_variable(content text) returns text
language sql immutable set search_path = '' as $$
  select (regexp_match(content, '\{[A-Za-z_][A-Za-z0-9_ .-]{0,63}\}'))[1]
$$;

-- The texts of a message with [BUBBLE] marks, in order, without empty ones.
create function private.bubbles(content text) returns text[]
language sql immutable set search_path = '' as $$
  select coalesce(array_agg(b.t order by b.n), '{}')
  from (select btrim(x.t, E' \n\r\t') as t, x.n from regexp_split_to_table(content, '\[BUBBLE\]') with ordinality x (t, n)) b
  where b.t <> ''
$$;

-- {"items": [{"id": 1, "action": "approve" | "edit" | "reject", "text": "...", "reason": "...", "category": "..."}]}
create function private.review_item(reviewer uuid, item jsonb) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  m public.campaign_messages;
  action text := item ->> 'action';
  why text := nullif(btrim(item ->> 'reason'), '');
  new_text text := nullif(btrim(item ->> 'text'), '');
begin
  select * into m from public.campaign_messages c where c.id = (item ->> 'id')::bigint for update;
  if not found then raise exception 'no campaign message %', item ->> 'id' using errcode = 'P0002'; end if;
  if action is null or action not in ('approve', 'edit', 'reject') then
    raise exception 'action "%" is not approve, edit or reject', action using errcode = '22023';
  end if;
  if action in ('edit', 'reject') and why is null then raise exception 'a reason is needed to % it', action using errcode = '22023'; end if;
  if action = 'edit' and (new_text is null or new_text = m.message_content) then
    raise exception 'an edit needs another text' using errcode = '22023';
  end if;
  if action = 'edit' and m.status not in ('draft', 'suggested', 'approved') then
    raise exception 'a message that is % can not be edited', m.status using errcode = '23514';
  end if;
  update public.campaign_messages c set
    status = case action when 'reject' then 'rejected' else 'approved' end,
    original_message = case when action = 'edit' then coalesce(c.original_message, c.message_content) else c.original_message end,
    message_content = case when action = 'edit' then new_text else c.message_content end,
    reviewed_by = reviewer, reviewed_at = now(), feedback_notes = coalesce(why, c.feedback_notes)
  where c.id = m.id;
  insert into public.message_feedback (campaign_message_id, action, suggested_message, final_message, suggested_strategy, suggested_reasoning,
      human_reasoning, feedback_category, reviewed_by)
  values (m.id, case action when 'approve' then 'approved' when 'edit' then 'edited' else 'rejected' end, m.message_content,
      case action when 'edit' then new_text when 'approve' then m.message_content end, m.strategy_type, m.reasoning, why, item ->> 'category', reviewer);
end
$$;

-- {"items": [{"id": 1, "at": "2026-11-23T18:00:00Z"}]}: approved ones get their time.
create function private.plan_item(item jsonb) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare m public.campaign_messages; variable text; texts text[];
begin
  select * into m from public.campaign_messages c where c.id = (item ->> 'id')::bigint for update;
  if not found then raise exception 'no campaign message %', item ->> 'id' using errcode = 'P0002'; end if;
  variable := private.unreplaced_variable(m.message_content);
  if variable is not null then raise exception 'the variable % was not replaced', variable using errcode = '22023'; end if;
  texts := private.bubbles(m.message_content);
  if cardinality(texts) not between 1 and 20 then raise exception 'a message has 1 to 20 bubbles, this one %', cardinality(texts) using errcode = '22023'; end if;
  if nullif(item ->> 'at', '') is null then raise exception 'at is missing' using errcode = '22023'; end if;
  update public.campaign_messages c set status = 'scheduled', scheduled_for = (item ->> 'at')::timestamptz where c.id = m.id;
end
$$;

create function private.each_campaign_item(reviewer uuid, items jsonb, planning boolean) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare item jsonb; verdict text; why text; verdicts jsonb[] := '{}'::jsonb[];
begin
  for item in select jsonb_array_elements(items) loop
    why := null;
    begin
      if planning then perform private.plan_item(item); else perform private.review_item(reviewer, item); end if;
      verdict := 'applied';
    exception when no_data_found or check_violation or data_exception or not_null_violation then
      verdict := 'rejected';
      why := sqlerrm;
    end;
    verdicts := verdicts || jsonb_build_object('id', item -> 'id', 'verdict', verdict, 'reason', why);
  end loop;
  return to_jsonb(verdicts);
end
$$;

create function public.campaign_review_v1(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare reviewer uuid := private.require_role('reviewer', 'admin');
begin
  return jsonb_build_object('verdicts', private.each_campaign_item(reviewer, private.items(p, 'items', 1000), false));
end
$$;

create function public.campaign_plan_v1(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare reviewer uuid := private.require_role('reviewer', 'admin');
begin
  return jsonb_build_object('verdicts', private.each_campaign_item(reviewer, private.items(p, 'items', 1000), true));
end
$$;

-- Hands planned messages over: each bubble becomes a row of its own, 3 s apart, under a key that a second hand-off finds. {"limit": 500}
create function public.campaign_hand_off_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  handed integer; refused integer; rows_made integer;
begin
  if private.jwt() ? 'sub' then perform private.require_role('reviewer', 'admin', 'agent'); end if;
  -- what was changed into something unsendable since it was planned goes back to the reviewer
  update public.campaign_messages c set status = 'approved',
      feedback_notes = 'not handed over: ' || coalesce('the variable ' || private.unreplaced_variable(c.message_content) || ' was not replaced', 'no text')
    where c.status = 'scheduled'
      and (private.unreplaced_variable(c.message_content) is not null or cardinality(private.bubbles(c.message_content)) not between 1 and 20);
  get diagnostics refused = row_count;
  perform private.act_as('hand-off');
  with due as (
    select c.* from public.campaign_messages c left join public.campaigns k on k.campaign_name = c.campaign_name
    where c.status = 'scheduled' and c.scheduled_for < now() + interval '96 hours' and coalesce(k.status, 'active') not in ('paused', 'cancelled')
    order by c.scheduled_for, c.id limit private.bounded(p -> 'limit', 500, 1, 5000)::integer for update of c skip locked),
  made as (
    insert into public.scheduled_messages (customer_id, phone_number, customer_segment, message_content, original_message, generated_by, generation_cost,
        strategy_type, reasoning, confidence_score, days_since_visit, favorite_budtender, favorite_product, scheduled_send_time, status,
        campaign_name, campaign_batch_id, reviewed_at, human_override, class, priority, dedup_key, campaign_message_id, bubble_no, bubble_total)
    select d.customer_id, d.phone_number, d.customer_segment, b.t, d.original_message, d.generated_by, case when b.n = 1 then d.generation_cost else 0 end,
        d.strategy_type, d.reasoning, d.confidence, d.days_since_visit, d.favorite_budtender, d.favorite_product,
        d.scheduled_for + (b.n - 1) * interval '3 seconds', 'scheduled', d.campaign_name, d.campaign_batch_id, d.reviewed_at,
        d.original_message is not null, 'marketing', d.priority, 'campaign-message:' || d.id || ':' || b.n, d.id, b.n, x.total
    from due d, lateral (select private.bubbles(d.message_content) as texts) t, lateral (select cardinality(t.texts) as total) x,
      unnest(t.texts) with ordinality b (t, n)
    on conflict (dedup_key) do nothing returning campaign_message_id),
  marked as (update public.campaign_messages c set status = 'exported', exported_at = now(), exported_to = 'scheduled_messages'
             from due d where c.id = d.id returning 1)
  select (select count(*) from marked), (select count(*) from made) into handed, rows_made;
  perform private.act_as('');
  return jsonb_build_object('handed_over', handed, 'rows', rows_made, 'refused', refused);
end
$$;

-- What became of the rows goes back to the campaign message they came from.
create function private.flow_back() returns trigger
language plpgsql security definer set search_path = '' as $$
declare before text := private.actor();
begin
  perform private.act_as('hand-off');
  update public.campaign_messages c set
    status = case when c.status in ('rejected', 'approved', 'suggested', 'draft', 'scheduled') then c.status
      when s.open > 0 then case when s.out > 0 and c.status = 'exported' then 'exported' else c.status end
      when s.out = s.total then 'sent' when c.status = 'sent' and s.out = 0 then 'failed'
      when s.cancelled = s.total then case when c.status = 'exported' then 'cancelled' else c.status end
      when s.expired = s.total then case when c.status = 'exported' then 'expired' else c.status end
      when c.status in ('exported', 'sent') then 'failed' else c.status end,
    delivery_status = case when s.delivered = s.total then 'delivered' when s.not_delivered > 0 then 'failed' when s.unknown > 0 then 'unknown'
      when s.out > 0 then 'pending' else 'none' end,
    conductor_message_id = s.first_message, cost = s.cost
  from (select count(*) as total, count(*) filter (where j.status in ('scheduled', 'queued', 'claimed', 'sending', 'approved')) as open,
               count(*) filter (where j.status in ('sent', 'delivered', 'unknown')) as out,
               count(*) filter (where j.status = 'cancelled') as cancelled, count(*) filter (where j.status = 'expired') as expired,
               count(*) filter (where j.delivery_status = 'delivered') as delivered,
               count(*) filter (where j.delivery_status = 'failed' or j.status in ('failed', 'undelivered', 'expired', 'suppressed')) as not_delivered,
               count(*) filter (where j.delivery_status = 'unknown' or j.status = 'unknown') as unknown,
               (array_agg(j.message_id order by j.bubble_no))[1] as first_message,
               (select sum(m.cost) from public.messages m join public.scheduled_messages k on k.id = m.scheduled_message_id
                where k.campaign_message_id = new.campaign_message_id) as cost
        from public.scheduled_messages j where j.campaign_message_id = new.campaign_message_id) s
  where c.id = new.campaign_message_id;
  perform private.act_as(before);
  return null;
end
$$;
create trigger flow_back after update on public.scheduled_messages
  for each row when (new.campaign_message_id is not null
    and (new.status, new.delivery_status, new.message_id) is distinct from (old.status, old.delivery_status, old.message_id))
  execute function private.flow_back();

-- The first answer within 7 days of the sending.
create function private.note_response() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  update public.campaign_messages c set responded_at = new."timestamp"
  where c.phone_number = new.phone_number and c.responded_at is null and c.exported_at > new."timestamp" - interval '11 days'
    and exists (select 1 from public.scheduled_messages j where j.campaign_message_id = c.id
                and j.actual_send_time <= new."timestamp" and j.actual_send_time > new."timestamp" - interval '7 days');
  return null;
end
$$;
create trigger note_response after insert on public.messages
  for each row when (new.direction = 'inbound') execute function private.note_response();

-- Pause takes back what has not gone out, cancel ends it; replies are left alone. A box that holds a row is told.
insert into private.transitions values (false, 'queued', 'approved'), (false, 'claimed', 'approved');

create function private.act_on_campaign(p jsonb, action text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  campaign text := p ->> 'campaign';
  n integer;
begin
  perform private.require_role('reviewer', 'admin');
  if campaign is null then raise sqlstate 'PT400' using message = '"campaign" is missing'; end if;
  update public.campaigns k set status = case action when 'pause' then 'paused' when 'resume' then 'active' else 'cancelled' end
  where k.campaign_name = campaign;
  if not found then raise sqlstate 'PT404' using message = format('no campaign "%s"', campaign); end if;
  if action = 'resume' then
    update public.scheduled_messages j set status = 'scheduled'
    where j.campaign_name = campaign and j.status = 'approved' and j.reason = 'campaign-paused';
  else
    update public.scheduled_messages j set status = case action when 'pause' then 'approved' else 'cancelled' end,
        reason = case action when 'pause' then 'campaign-paused' else 'campaign-cancelled' end
    where j.campaign_name = campaign and j.class <> 'reply'
      and j.status = any (case action when 'pause' then array['scheduled', 'queued', 'claimed'] else array['approved', 'scheduled', 'queued', 'claimed'] end);
  end if;
  get diagnostics n = row_count;
  if action = 'cancel' then
    update public.campaign_messages c set status = 'cancelled'
    where c.campaign_name = campaign and c.status in ('draft', 'suggested', 'approved', 'scheduled');
  end if;
  return jsonb_build_object('campaign', campaign, 'rows', n);
end
$$;
create function public.campaign_pause_v1(p jsonb) returns jsonb language sql volatile security definer set search_path = '' as $$
  select private.act_on_campaign(p, 'pause')
$$;
create function public.campaign_resume_v1(p jsonb) returns jsonb language sql volatile security definer set search_path = '' as $$
  select private.act_on_campaign(p, 'resume')
$$;
create function public.campaign_cancel_v1(p jsonb) returns jsonb language sql volatile security definer set search_path = '' as $$
  select private.act_on_campaign(p, 'cancel')
$$;

-- For agents that answer messages -----------------------------------------------------------------------------------------------------
alter table public.messages add column inbox_owner text, add column inbox_lease timestamptz;
create index messages_last_out on public.messages (phone_number, sent_at desc) where direction = 'outbound';

-- {"phone": "..."}: the customers of a number, whether it opted out, and its last messages.
create function public.context_v1(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare number text := public.normal_phone(p ->> 'phone');
begin
  perform private.require_role('agent', 'reviewer', 'admin');
  if number is null then raise sqlstate 'PT400' using message = '"phone" is no phone number'; end if;
  return jsonb_build_object('phone_number', number, 'opted_out', private.is_opted_out(number),
    'customers', coalesce((select jsonb_agg(to_jsonb(c)) from public.customer_sms_context c where c.phone = number), '[]'),
    'lead', (select to_jsonb(l) from public.leads l where l.phone_number = number),
    'messages', coalesce((select jsonb_agg(jsonb_build_object('id', m.id, 'direction', m.direction, 'content', m.content, 'status', m.status,
        'timestamp', m."timestamp") order by m."timestamp" desc)
      from (select * from public.messages x where x.phone_number = number order by x."timestamp" desc limit 20) m), '[]'));
end
$$;

-- {"owner": "n8n", "limit": 10, "lease_seconds": 300}: unread messages that nobody else works on, oldest first.
create function public.inbox_claim_v1(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare owner text := nullif(p ->> 'owner', ''); claimed jsonb;
begin
  perform private.require_role('agent', 'reviewer', 'admin');
  if owner is null then raise sqlstate 'PT400' using message = '"owner" is missing'; end if;
  with free as (
    select m.id from public.messages m
    where m.direction = 'inbound' and m.status = 'unread' and (m.inbox_lease is null or m.inbox_lease < now() or m.inbox_owner = owner)
    order by m."timestamp" limit private.bounded(p -> 'limit', 10, 1, 100)::integer for update skip locked),
  taken as (
    update public.messages m set inbox_owner = owner,
      inbox_lease = now() + make_interval(secs => private.bounded(p -> 'lease_seconds', 300, 10, 86400)::double precision)
    from free f where m.id = f.id returning m.id, m.phone_number, m.content, m."timestamp", m.customer_id, m.in_reply_to)
  select coalesce(jsonb_agg(to_jsonb(t) order by t."timestamp"), '[]') into claimed from taken t;
  return jsonb_build_object('messages', claimed);
end
$$;

-- {"message_id": 7, "text": "...", "key": "..."}: an answer by the box that received the message, which is read from then on.
create function public.reply_v1(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare m public.messages; job public.scheduled_messages; variable text := private.unreplaced_variable(p ->> 'text');
begin
  perform private.require_role('agent', 'reviewer', 'admin');
  if coalesce(btrim(p ->> 'text'), '') = '' then raise sqlstate 'PT400' using message = '"text" is missing'; end if;
  if variable is not null then raise sqlstate 'PT400' using message = format('the variable %s was not replaced', variable); end if;
  select * into m from public.messages x where x.id = (p ->> 'message_id')::bigint and x.direction = 'inbound';
  if not found then raise sqlstate 'PT404' using message = 'no such inbound message'; end if;
  if m."timestamp" < now() - interval '7 days' then raise sqlstate 'PT409' using message = 'the message is older than 7 days'; end if;
  insert into public.scheduled_messages (customer_id, phone_number, message_content, status, class, priority, dedup_key, gateway_id, pool, generated_by)
  values (m.customer_id, m.phone_number, p ->> 'text', 'scheduled', 'reply', 90,
          'reply:' || m.id || ':' || coalesce(nullif(p ->> 'key', ''), md5(p ->> 'text')), m.gateway_id,
          coalesce((select g.pool from public.gateways g where g.id = m.gateway_id), 'main'), 'agent')
  on conflict (dedup_key) do nothing returning * into job;
  if job.id is null then
    select * into job from public.scheduled_messages j
    where j.dedup_key = 'reply:' || m.id || ':' || coalesce(nullif(p ->> 'key', ''), md5(p ->> 'text'));
  end if;
  update public.messages x set status = 'read', inbox_lease = null where x.id = m.id and x.status = 'unread';
  return jsonb_build_object('scheduled_message_id', job.id, 'status', job.status);
end
$$;

-- {"phone": "...", "stage": "...", "status": "...", "last_message": "...", "probability": 0.5}: one row a number.
create function public.lead_upsert_v1(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare number text := public.normal_phone(p ->> 'phone'); l public.leads; known text;
begin
  perform private.require_role('agent', 'reviewer', 'admin');
  if number is null then raise sqlstate 'PT400' using message = '"phone" is no phone number'; end if;
  select case when count(*) >= 1 then min(c.member_id) end into known from public.customers c where c.phone = number;
  insert into public.leads as x (phone_number, customer_id, lead_status, conversation_stage, last_message, conversion_probability)
  values (number, known, coalesce(p ->> 'status', case when known is null then 'new' else 'warm' end), coalesce(p ->> 'stage', 'discovery'),
          p ->> 'last_message', coalesce((p ->> 'probability')::numeric, case when known is null then 0.3 else 0.8 end))
  on conflict (phone_number) do update set
    customer_id = coalesce(x.customer_id, excluded.customer_id),
    lead_status = coalesce(p ->> 'status', case when excluded.conversation_stage = 'qualification' then 'qualified'
      when excluded.conversation_stage = 'demo' then 'demo_scheduled' else x.lead_status end),
    conversation_stage = coalesce(p ->> 'stage', x.conversation_stage), last_message = coalesce(p ->> 'last_message', x.last_message),
    conversion_probability = coalesce((p ->> 'probability')::numeric, x.conversion_probability)
  returning * into l;
  return to_jsonb(l);
end
$$;

do $$
declare f text;
begin
  revoke all on all functions in schema private from public;
  foreach f in array array['campaign_review_v1', 'campaign_plan_v1', 'campaign_hand_off_v1', 'campaign_pause_v1', 'campaign_resume_v1', 'campaign_cancel_v1',
                           'context_v1', 'inbox_claim_v1', 'reply_v1', 'lead_upsert_v1'] loop
    execute format('revoke all on function public.%I(jsonb) from public, anon', f);
    execute format('grant execute on function public.%I(jsonb) to authenticated, service_role', f);
  end loop;
end
$$;
