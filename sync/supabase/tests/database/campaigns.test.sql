-- Review, planning, hand-off, pause, cancel, and what flows back; and the calls of agents.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, email) values ('30000000-0000-4000-8000-000000000001', 'reviewer@campaign.example.com'),
  ('30000000-0000-4000-8000-000000000002', 'agent@campaign.example.com'), ('30000000-0000-4000-8000-000000000003', 'box@campaign.example.com'),
  ('30000000-0000-4000-8000-000000000004', 'viewer@campaign.example.com');
insert into staff_roles values ('30000000-0000-4000-8000-000000000001', 'reviewer'), ('30000000-0000-4000-8000-000000000002', 'agent'),
  ('30000000-0000-4000-8000-000000000004', 'viewer');
insert into gateways (id, auth_user_id, pool) values ('campaign-box', '30000000-0000-4000-8000-000000000003', 'campaign-pool');
create function pg_temp.be(who integer) returns void language sql as
  $$ select set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', '30000000-0000-4000-8000-00000000000' || who)::text, true) $$;

insert into campaigns (campaign_name) values ('fall');
insert into customers (member_id, phone) values ('K', '+15550100101');
insert into campaign_messages (id, phone_number, customer_id, message_content, status, campaign_name, generation_cost) values
  (1, '+15550100101', 'K', 'Hello Kay [ Bubble ] We miss you [BUBBLE]', 'suggested', 'fall', 0.02), (2, '+15550100102', null, 'Hello {first_name}', 'suggested', 'fall', 0),
  (3, '+15550100103', null, 'Hi', 'suggested', 'fall', 0), (4, '+15550100104', null, 'Hi', 'suggested', 'fall', 0);

select pg_temp.be(4);
select throws_ok($$select campaign_review_v1('{"items": []}')$$, 'PT403', null, 'a viewer does not review');
select pg_temp.be(1);
select is(campaign_review_v1('{"items": [{"id": 1, "action": "approve"}, {"id": 2, "action": "approve"}, {"id": 3, "action": "edit", "text": "Hi there"},
    {"id": 3, "action": "edit", "text": "Hi there", "reason": "warmer"}, {"id": 4, "action": "reject"}, {"id": 4, "action": "reject", "reason": "no fit"},
    {"id": 99, "action": "approve"}, {"id": 4, "action": "approve"}]}') #> '{verdicts}' @? '$[*] ? (@.verdict == "rejected" && @.id == 99)', true, 'an unknown one is rejected alone');
select results_eq('select id, status, message_content, original_message, reviewed_by is not null from campaign_messages order by id',
  $$values (1::bigint, 'approved', 'Hello Kay [ Bubble ] We miss you [BUBBLE]', null, true), (2::bigint, 'approved', 'Hello {first_name}', null, true),
           (3::bigint, 'approved', 'Hi there', 'Hi', true), (4::bigint, 'rejected', 'Hi', null, true)$$,
  'reasons are needed to edit and to reject; a rejected one is not approved');
select results_eq('select campaign_message_id, action, human_reasoning from message_feedback order by 1, 2',
  $$values (1::bigint, 'approved', null), (2::bigint, 'approved', null), (3::bigint, 'edited', 'warmer'), (4::bigint, 'rejected', 'no fit')$$, 'each decision is kept');
select is(campaign_plan_v1(jsonb_build_object('items', jsonb_build_array(jsonb_build_object('id', 1, 'at', now() + interval '1 hour'),
    jsonb_build_object('id', 2, 'at', now()), jsonb_build_object('id', 3, 'at', now() + interval '1 hour'), jsonb_build_object('id', 4, 'at', now())))) -> 'verdicts' -> 1 ->> 'reason',
  'the variable {first_name} was not replaced', 'a text with a variable is not planned');
select results_eq('select id, status from campaign_messages order by id', $$values (1::bigint, 'scheduled'), (2::bigint, 'approved'), (3::bigint, 'scheduled'), (4::bigint, 'rejected')$$, 'planned');

update campaign_messages set message_content = 'Now {broken}' where id = 3;
select is(campaign_hand_off_v1(), '{"handed_over": 1, "rows": 2, "refused": 1, "late": 0, "resumed": 0}'::jsonb, 'handed over: two bubbles; what was broken since goes back');
select is((select status from campaign_messages where id = 3), 'approved', 'to be planned anew');
select is(campaign_hand_off_v1(), '{"handed_over": 0, "rows": 0, "refused": 0, "late": 0, "resumed": 0}'::jsonb, 'nothing is handed over twice');
select results_eq('select bubble_no, bubble_total, message_content, status, class, extract(epoch from scheduled_send_time - now())::integer from scheduled_messages where campaign_message_id = 1 order by 1',
  $$values (1, 2, 'Hello Kay', 'scheduled', 'marketing', 3600), (2, 2, 'We miss you', 'scheduled', 'marketing', 3603)$$, 'expanded, in order, 3 s apart, no empty bubble');
select results_eq('select status, exported_to from campaign_messages where id = 1', $$values ('exported', 'scheduled_messages')$$, 'export fields');

-- Pause and resume; a box that holds a row is told.
update scheduled_messages set pool = 'campaign-pool' where campaign_message_id = 1;
select set_config('conductor.actor', 'reaper', true);
update scheduled_messages set status = 'queued' where campaign_message_id = 1;
update scheduled_messages set status = 'claimed', claimed_by = 'campaign-box', claim_epoch = 1, lease_expires_at = now() + interval '1 hour' where campaign_message_id = 1 and bubble_no = 1;
select set_config('conductor.actor', '', true);
insert into scheduled_messages (phone_number, message_content, status, campaign_name, class) values ('+15550100101', 'answer', 'scheduled', 'fall', 'reply');
select is(campaign_pause_v1('{"campaign": "fall"}') ->> 'rows', '2', 'both bubbles are taken back');
select results_eq($$select class, status from scheduled_messages where campaign_name = 'fall' order by id$$, $$values ('marketing', 'approved'), ('marketing', 'approved'), ('reply', 'scheduled')$$, 'replies are left alone');
select is((select count(*) from gateway_commands where gateway_id = 'campaign-box' and kind = 'cancel'), 1::bigint, 'the box that held one is told');
select is(campaign_hand_off_v1() ->> 'handed_over', '0', 'a paused campaign hands nothing over');
select is(campaign_resume_v1('{"campaign": "fall"}') ->> 'rows', '2', 'resumed');
select throws_ok($$select campaign_cancel_v1('{"campaign": "none"}')$$, 'PT404', null, 'an unknown campaign');

-- Results flow back.
select set_config('conductor.actor', 'campaign-box', true);
update scheduled_messages set status = 'queued' where campaign_message_id = 1;
update scheduled_messages set status = 'sent', delivery_status = 'pending', actual_send_time = now() where campaign_message_id = 1 and bubble_no = 1;
select is((select status from campaign_messages where id = 1), 'exported', 'not sent while a bubble waits');
update scheduled_messages set status = 'sent', delivery_status = 'pending', actual_send_time = now() where campaign_message_id = 1;
select results_eq('select status, delivery_status from campaign_messages where id = 1', $$values ('sent', 'pending')$$, 'sent');
update scheduled_messages set status = 'delivered', delivery_status = 'delivered' where campaign_message_id = 1;
select is((select delivery_status from campaign_messages where id = 1), 'delivered', 'delivered');
insert into messages (id, phone_number, content, status, direction, gateway_id, "timestamp") values (920001, '+15550100101', 'thanks', 'unread', 'inbound', 'campaign-box', now() + interval '1 minute');
select isnt((select responded_at from campaign_messages where id = 1), null, 'the answer is noted');

-- A message that failed may be planned anew: a round of its own, which the first one no longer touches.
select set_config('conductor.actor', '', true);
select campaign_review_v1('{"items": [{"id": 3, "action": "edit", "text": "Hi again", "reason": "mended"}]}');
create function pg_temp.plan(message integer, at timestamptz) returns text language sql as $$
  select coalesce(v -> 'verdicts' -> 0 ->> 'reason', v -> 'verdicts' -> 0 ->> 'verdict')
  from campaign_plan_v1(jsonb_build_object('items', jsonb_build_array(jsonb_build_object('id', message, 'at', at)))) v $$;
create function pg_temp.box(message integer, next_status text, delivery text default 'none', sent timestamptz default null) returns void language sql as $$
  select set_config('conductor.actor', 'campaign-box', true);
  update scheduled_messages j set status = next_status, delivery_status = delivery, actual_send_time = coalesce(sent, actual_send_time)
    from campaign_messages c where c.id = message and j.campaign_message_id = c.id and j.campaign_round = c.round;
  select set_config('conductor.actor', '', true) $$;
select is(pg_temp.plan(3, now() + interval '1 hour'), 'applied', 'planned');
select is(campaign_hand_off_v1() ->> 'rows', '1', 'handed over');
select is((select expires_at - scheduled_send_time from scheduled_messages where campaign_message_id = 3), interval '24 hours', 'not later than a day after its time');
select pg_temp.box(3, 'queued'), pg_temp.box(3, 'failed');
select is((select status from campaign_messages where id = 3), 'failed', 'failed');
select campaign_review_v1('{"items": [{"id": 3, "action": "approve"}]}');
select is(pg_temp.plan(3, now() + interval '2 hours'), 'applied', 'planned anew');
select is(campaign_hand_off_v1() ->> 'rows', '1', 'and handed over, as a row of its own');
select pg_temp.box(3, 'queued'), pg_temp.box(3, 'sent', 'none', now());
select results_eq('select status, delivery_status from campaign_messages where id = 3', $$values ('sent', 'none')$$, 'sent, and no report was asked for');
insert into messages (id, phone_number, content, status, direction, "timestamp") values (920010, '+15550100102', 'early', 'unread', 'inbound', now() - interval '1 hour');
insert into campaign_messages (id, phone_number, message_content, status, campaign_name) values (5, '(555) 010-0102', 'Hi five', 'suggested', 'fall');
select campaign_review_v1('{"items": [{"id": 5, "action": "approve"}]}');
select pg_temp.plan(5, now());
select campaign_hand_off_v1();
select pg_temp.box(5, 'queued'), pg_temp.box(5, 'sent', 'pending', now() - interval '2 hours');
select is((select responded_at from campaign_messages where id = 5), now() - interval '1 hour', 'an answer that was told before the sending counts');

update messages set status = 'read' where id = 920010;

-- Too late is too late.
select is(pg_temp.plan(2, now() - interval '2 days'), 'the variable {first_name} was not replaced', 'still not');
insert into campaign_messages (id, phone_number, message_content, status, campaign_name) values (6, '+15550100106', 'Hi six', 'suggested', 'fall');
select campaign_review_v1('{"items": [{"id": 6, "action": "approve"}]}');
select is(pg_temp.plan(6, now() - interval '2 days'), 'at is more than 24:00:00 ago', 'a plan for the day before yesterday');
select is(pg_temp.plan(6, now() - interval '2 hours'), 'applied', 'for two hours ago');
update campaigns set late_hours = 1 where campaign_name = 'fall';
select is(campaign_hand_off_v1() ->> 'late', '1', 'is too late where an hour is the limit');
select results_eq('select status, feedback_notes like ''%too late%'' from campaign_messages where id = 6', $$values ('expired', true)$$, 'and said so');

-- A box that is away sends what was paused: it counts, and is not sent again.
insert into scheduled_messages (id, phone_number, message_content, status, campaign_name, pool) values
  (930001, '+15550100110', 'one', 'scheduled', 'unplanned', 'away-pool'), (930002, '+15550100111', 'two', 'scheduled', 'unplanned', 'away-pool');
insert into auth.users (id, email) values ('30000000-0000-4000-8000-000000000005', 'away@campaign.example.com');
insert into gateways (id, auth_user_id, pool) values ('away-box', '30000000-0000-4000-8000-000000000005', 'away-pool');
select pg_temp.be(5);
select is(jsonb_array_length(gw_claim_v1('{"request_id": "a", "instance": "i"}') -> 'jobs'), 2, 'claimed, pinned');
select set_config('conductor.actor', '', true);
select pg_temp.be(1);
select is(campaign_pause_v1('{"campaign": "unplanned"}') ->> 'rows', '2', 'a campaign that only its rows name is paused');
insert into scheduled_messages (id, phone_number, message_content, status, campaign_name) values (930003, '+15550100112', 'three', 'scheduled', 'unplanned');
select is((select status from scheduled_messages where id = 930003), 'approved', 'what is inserted meanwhile waits');
select results_eq($$select r -> 'rows', r -> 'waiting' from campaign_resume_v1('{"campaign": "unplanned"}') r$$, $$values ('1'::jsonb, '2'::jsonb)$$,
  'what the box has not been told of waits');
select pg_temp.be(5);
select is(gw_report_v1('{"items": [{"event_id": "30000000-0000-4000-8000-00000000a001", "kind": "sent", "job_id": 930001, "epoch": 1, "at": "2026-11-22T10:00:00Z"}]}')
  #>> '{verdicts,0,verdict}', 'applied', 'the box had sent one');
select is((select status from scheduled_messages where id = 930001), 'sent', 'it is sent');
select is((gw_ack_v1(jsonb_build_object('ids', (select jsonb_agg(id) from gateway_commands where gateway_id = 'away-box'))) -> 'acked')::integer >= 2, true, 'the box is told');
select set_config('conductor.actor', '', true);
select pg_temp.be(1);
select is(campaign_hand_off_v1() ->> 'resumed', '1', 'the other goes on');
select results_eq('select id, status from scheduled_messages where id in (930001, 930002) order by 1', $$values (930001::bigint, 'sent'), (930002::bigint, 'scheduled')$$, 'once each');
select campaign_cancel_v1('{"campaign": "unplanned"}');
select throws_ok($$insert into scheduled_messages (phone_number, message_content, status, campaign_name) values ('+15550100112', 'x', 'scheduled', 'unplanned')$$, '23514', null,
  'nothing is added to a cancelled campaign');

-- What the box could send until its lease was over, and has not been told not to, may have gone out: nobody else sends it.
insert into scheduled_messages (id, phone_number, message_content, status, campaign_name, pool, offline_ok, on_unknown)
  select 930010 + g, '+155501001' || 20 + g, 'late', 'scheduled', 'late', 'late-pool', g < 4, case g when 3 then 'resend' end from generate_series(1, 5) g;
insert into auth.users (id, email) values ('30000000-0000-4000-8000-000000000006', 'late@campaign.example.com');
insert into gateways (id, auth_user_id, pool, instance) values ('late-box', '30000000-0000-4000-8000-000000000006', 'late-pool', 'i'), ('late-box-2', null, 'late-pool', null);
select pg_temp.be(6);
select is(jsonb_array_length(gw_claim_v1('{"request_id": "a", "instance": "i"}') -> 'jobs'), 5, 'claimed in a pool of several');
select set_config('conductor.actor', '', true);
select pg_temp.be(1);
select campaign_pause_v1('{"campaign": "late"}');
update gateway_commands set acked_at = now() where gateway_id = 'late-box' and job_id = 930015;
select campaign_resume_v1('{"campaign": "late"}');
create function pg_temp.late() returns text language sql as $$
  select string_agg(status || coalesce(' ' || reason, ''), ', ' order by id) from scheduled_messages where campaign_name = 'late' $$;
select is(pg_temp.late(), 'approved campaign-paused, approved campaign-paused, approved campaign-paused, scheduled, scheduled', 'what it could send without asking waits');
update scheduled_messages set lease_expires_at = now() - interval '1 minute' where campaign_name = 'late' and status = 'approved';
select is(campaign_hand_off_v1() ->> 'resumed', '1', 'until its lease is over: then that goes on which may be sent twice');
select is(pg_temp.late(), 'unknown lease-over, unknown lease-over, scheduled, scheduled, scheduled', 'and the rest is unknown');
select is((select count(*) from scheduled_messages where campaign_name = 'late' and delivery_status = 'unknown'), 2::bigint, 'as is its delivery');
select campaign_resume_v1('{"campaign": "late"}');
select is(pg_temp.late(), 'unknown lease-over, unknown lease-over, scheduled, scheduled, scheduled', 'and stays so, whoever resumes');
select pg_temp.be(6);
select gw_report_v1('{"items": [{"event_id": "30000000-0000-4000-8000-00000000a011", "kind": "sent", "job_id": 930011, "epoch": 1},
  {"event_id": "30000000-0000-4000-8000-00000000a012", "kind": "cancelled", "job_id": 930012, "epoch": 1, "reason": "cancelled"}]}');
select is(pg_temp.late(), 'sent, approved campaign-paused, scheduled, scheduled, scheduled', 'until the box tells: one was sent, the pause reached the other');
select set_config('conductor.actor', '', true);
select pg_temp.be(1);
select is(campaign_hand_off_v1() ->> 'resumed', '1', 'which goes on');

-- Of an installation that is no more nobody knows what it sent, and what no pause took back is not the campaign's.
insert into scheduled_messages (id, phone_number, message_content, status, campaign_name, pool, offline_ok)
  select 930020 + g, '+155501001' || 30 + g, 'old', 'scheduled', 'old', 'late-pool', true from generate_series(1, 2) g;
select pg_temp.be(6);
select gw_claim_v1('{"request_id": "b", "instance": "i"}');
select set_config('conductor.actor', '', true);
select pg_temp.be(1);
select campaign_pause_v1('{"campaign": "old"}');
delete from gateway_commands where gateway_id = 'late-box' and job_id = 930022;
select set_config('conductor.actor', 'reaper', true);
update scheduled_messages set status = 'unknown', reason = 'lease-over' where campaign_name = 'old';
select set_config('conductor.actor', '', true);
update gateways set instance = 'j' where id = 'late-box';
select pg_temp.be(6);
select gw_report_v1('{"items": [{"event_id": "30000000-0000-4000-8000-00000000a021", "kind": "cancelled", "job_id": 930021, "epoch": 1}]}');
update gateways set instance = 'i' where id = 'late-box';
select gw_report_v1('{"items": [{"event_id": "30000000-0000-4000-8000-00000000a022", "kind": "cancelled", "job_id": 930022, "epoch": 1}]}');
select results_eq($$select status from scheduled_messages where campaign_name = 'old'$$, $$values ('unknown'), ('unknown')$$, 'a word that proves nothing frees nothing');
select set_config('conductor.actor', '', true);

-- A box that is no more acknowledges nothing: what it could send without asking is not free either.
insert into gateways (id, auth_user_id, pool) values ('gone-box', null, 'gone-pool'), ('gone-box-2', null, 'gone-pool');
insert into scheduled_messages (id, phone_number, message_content, status, campaign_name, pool, offline_ok)
  values (930030, '+15550100140', 'gone', 'scheduled', 'gone', 'gone-pool', true), (930031, '+15550100141', 'gone', 'scheduled', 'gone', 'gone-pool', false);
insert into auth.users (id, email) values ('30000000-0000-4000-8000-000000000007', 'gone@campaign.example.com');
update gateways set auth_user_id = '30000000-0000-4000-8000-000000000007' where id = 'gone-box';
select pg_temp.be(7);
select gw_claim_v1('{"request_id": "a", "instance": "i"}');
select set_config('conductor.actor', '', true);
select pg_temp.be(1);
select campaign_pause_v1('{"campaign": "gone"}');
delete from gateways where id = 'gone-box';
select campaign_resume_v1('{"campaign": "gone"}');
select results_eq($$select status from scheduled_messages where campaign_name = 'gone' order by id$$, $$values ('approved'), ('scheduled')$$, 'it waits for the lease of the box');
update scheduled_messages set lease_expires_at = now() - interval '1 minute' where id = 930030;
select campaign_resume_v1('{"campaign": "gone"}');
select results_eq($$select status, reason from scheduled_messages where id = 930030$$, $$values ('unknown', 'lease-over')$$, 'and is unknown then');

-- Agents.
select pg_temp.be(4);
select throws_ok($$select inbox_claim_v1('{"owner": "x"}')$$, 'PT403', null, 'a viewer claims nothing');
select pg_temp.be(2);
select is(jsonb_array_length(inbox_claim_v1('{"owner": "bot-1"}') -> 'messages'), 1, 'claimed');
select is(jsonb_array_length(inbox_claim_v1('{"owner": "bot-2"}') -> 'messages'), 0, 'by one owner alone');
select is(context_v1('{"phone": "(555) 010-0101"}') -> 'customers' -> 0 ->> 'member_id', 'K', 'context');
select throws_ok($$select context_v1('{"phone": "abc"}')$$, 'PT400', null, 'no phone number');
select is(reply_v1('{"message_id": 920001, "text": "Welcome", "key": "1"}') -> 'scheduled_message_id', reply_v1('{"message_id": 920001, "text": "Welcome", "key": "1"}') -> 'scheduled_message_id', 'a reply asked twice is one');
select results_eq($$select class, gateway_id, pool, status from scheduled_messages where dedup_key = 'reply:920001:1'$$, $$values ('reply', 'campaign-box', 'campaign-pool', 'scheduled')$$, 'by the box that got the message');
select is((select status from messages where id = 920001), 'read', 'and the message is read');
select throws_ok($$select reply_v1('{"message_id": 920001, "text": "Hi {name}"}')$$, 'PT400', null, 'no variables in replies');
select results_eq($$select l ->> 'lead_status', l ->> 'conversation_stage', (l ->> 'conversion_probability')::numeric from lead_upsert_v1('{"phone": "+15550100101"}') l$$, $$values ('warm', 'discovery', 0.8)$$, 'a customer''s lead is warm');
select results_eq($$select l ->> 'lead_status', l ->> 'load_status' from lead_upsert_v1('{"phone": "+15550100101", "stage": "qualification"}') l$$, $$values ('qualified', 'qualified')$$, 'one row a number');
select is((select count(*) from leads where phone_number = '+15550100101'), 1::bigint, 'one lead');
select is(lead_upsert_v1('{"phone": "+15550100199", "stage": "demo"}') ->> 'lead_status', 'demo_scheduled', 'the stage tells the status, also of a new one');

-- Guards.
select throws_ok($$update campaign_messages set status = 'sent' where id = 2$$, '23514', null, 'nobody marks a message as sent by hand');
insert into bundle_offers (id, customer_email, bundle_products, total_quantity, base_price, discount_amount, final_price)
values ('40000000-0000-4000-8000-000000000001', 'a@example.com', '[]', 4, 50, 5, 45);
select throws_ok($$update bundle_offers set status = 'purchased' where id = '40000000-0000-4000-8000-000000000001'$$, '23514', null, 'an offer is viewed first');
update bundle_offers set status = 'viewed' where id = '40000000-0000-4000-8000-000000000001';
select results_eq($$select viewed_at is not null, responded_at is null from bundle_offers where id = '40000000-0000-4000-8000-000000000001'$$, $$values (true, true)$$, 'viewed is no answer');
select throws_ok($$update shop_settings set time_zone = 'Mars/Olympus'$$, '23514', null, 'an unknown time zone is refused');
select * from finish();
rollback;
