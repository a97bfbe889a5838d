-- The calls of a box, where the test of the client does not reach: limits, order, pinning, ranks, plans.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, email) values ('20000000-0000-4000-8000-000000000001', 'p1@example.com'), ('20000000-0000-4000-8000-000000000002', 'p2@example.com');
insert into gateways (id, auth_user_id, pool) values ('p1', '20000000-0000-4000-8000-000000000001', 'p'), ('p2', '20000000-0000-4000-8000-000000000002', 'p');
create function pg_temp.as_box(n int) returns void language sql as $$
  select set_config('request.jwt.claims', format('{"role": "authenticated", "sub": "20000000-0000-4000-8000-%s"}', lpad(n::text, 12, '0')), true) $$;
create function pg_temp.ids(answer jsonb) returns bigint[] language sql as $$
  select coalesce(array_agg((j ->> 'id')::bigint order by o), '{}') from jsonb_array_elements(answer -> 'jobs') with ordinality as t (j, o) $$;

insert into scheduled_messages (id, pool, phone_number, message_content, status, scheduled_send_time, priority, gateway_id, expires_at) values
  (920001, 'p', '+15550100001', 'low', 'scheduled', now() - interval '2 hours', 10, null, null),
  (920002, 'p', '+15550100002', 'high', 'scheduled', now() - interval '1 hour', 90, null, null),
  (920003, 'p', '+15550100003', 'soon', 'scheduled', now() + interval '4 minutes', 50, null, null),
  (920004, 'p', '+15550100004', 'later', 'scheduled', now() + interval '10 minutes', 100, null, null),
  (920005, 'p', '+15550100005', 'for p2', 'scheduled', now(), 100, 'p2', null),
  (920006, 'p', '+15550100006', 'over', 'scheduled', now() - interval '1 hour', 100, null, now() - interval '1 minute'),
  (920007, 'q', '+15550100007', 'another pool', 'scheduled', now(), 100, null, null),
  (920008, 'p', '+15550100008', 'draft', 'draft', now(), 100, null, null);

select pg_temp.as_box(1);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "a", "limit": 20}')), '{920002,920003,920001}', 'by priority, due within five minutes, for this box');
select is((select status from scheduled_messages where id = 920006), 'expired', 'what is over is not handed out');
select results_eq($$select extract(epoch from lease_expires_at - greatest(scheduled_send_time, now()))::int from scheduled_messages where id in (920001, 920003) order by id$$,
  array[600, 600], 'ten minutes, from the time it is due');
select pg_temp.as_box(2);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "a", "limit": 500, "horizon_s": 999999999}')), '{920005,920004}', 'each box has its own request ids; limits are kept');
select is((gw_begin_v1('{"jobs": [{"id": 920001, "epoch": 1, "revision": 1}]}') -> 'jobs' -> 0 ->> 'reason'), 'stale-epoch', 'a row of another box');
update gateways set max_inflight = 2 where id = 'p2';
insert into scheduled_messages (id, pool, phone_number, message_content, status) values (920010, 'p', '+15550100001', 'x', 'scheduled');
select is(pg_temp.ids(gw_claim_v1('{"request_id": "b"}')), '{}', 'no more than max_inflight');
update gateways set enabled = false where id = 'p2';
select throws_ok($$select gw_claim_v1('{}')$$, 'PT403', null, 'a disabled box is refused at once');

select pg_temp.as_box(1);
insert into scheduled_messages (id, pool, phone_number, message_content, status, scheduled_send_time) values
  (920011, 'p', '+15550100001', 'in three days', 'scheduled', now() + interval '3 days');
create temp table pinned on commit drop as select gw_claim_v1('{"request_id": "c", "limit": 20}') as answer;
select is((select pg_temp.ids(answer) from pinned), '{920010,920011}', 'alone in its pool: four days ahead');
select is((select answer -> 'jobs' -> 1 ->> 'offline_ok' from pinned), 'true', 'and to be sent without asking');
select results_eq($$select lease_expires_at - scheduled_send_time from scheduled_messages where id = 920011$$, array[interval '24 hours'], 'lease to send time + 24 h');
select throws_ok($$select gw_begin_v1('{"jobs": 1}')$$, 'PT400', null, 'an array is an array');
select throws_ok(format('select gw_report_v1(%L)', jsonb_build_object('items', (select jsonb_agg(1) from generate_series(1, 501)))), 'PT413', null, 'at most 500');

-- Ranks: news move a row forward only, whatever their order.
create function pg_temp.tell(n int, kind text, more jsonb default '{}') returns text language sql as $$
  select gw_report_v1(jsonb_build_object('items', jsonb_build_array(jsonb_build_object('event_id', format('30000000-0000-4000-8000-%s', lpad(n::text, 12, '0')),
    'kind', kind, 'job_id', 920001, 'epoch', 1, 'at', now()) || more))) -> 'verdicts' -> 0 ->> 'verdict' $$;
create function pg_temp.state(job bigint) returns text language sql as $$
  select status || ' ' || delivery_status || ' ' || coalesce(reason, '-') from scheduled_messages where id = job $$;
select is(pg_temp.tell(1, 'attempt'), 'applied', 'an attempt');
select is(pg_temp.state(920001), 'sending none -', 'is sending');
select is(pg_temp.tell(2, 'unknown', '{"reason": "timeout"}'), 'applied', 'no answer');
select is(pg_temp.state(920001), 'unknown unknown timeout', 'is unknown');
select is(pg_temp.tell(3, 'sent', '{"delivery_status": "pending"}'), 'applied', 'the answer came late');
select is(pg_temp.state(920001), 'sent pending -', 'evidence corrects upwards');
select is(pg_temp.tell(4, 'failed', '{"reason": "cms-38"}'), 'applied', 'older news is kept');
select is(pg_temp.state(920001), 'sent pending -', 'and changes nothing');
select is(pg_temp.tell(5, 'sent', '{"delivery_status": "unknown"}'), 'applied', 'no report came');
select is(pg_temp.state(920001), 'sent unknown -', 'is told of a sent row');
select is(pg_temp.tell(6, 'delivered'), 'applied', 'a report after all');
select is(pg_temp.state(920001), 'delivered delivered -', 'delivered');
select is(pg_temp.tell(7, 'undelivered'), 'applied', 'a contradiction is kept');
select is(pg_temp.state(920001), 'delivered delivered -', 'delivered stays');
select is(pg_temp.tell(6, 'delivered'), 'duplicate', 'each event once');
select is((select count(*) from messages where scheduled_message_id = 920001), 1::bigint, 'one row of messages for the round');
select is((select count(*) from message_events where job_id = 920001), 7::bigint, 'every event is on record');
select is((select m.status from messages m join scheduled_messages s on s.message_id = m.id where s.id = 920001), 'delivered', 'linked both ways');

select is((select cost from messages where scheduled_message_id = 920001), 0::numeric, 'what no box put a price on costs nothing');
-- A message of the box's own is logged too.
select is(gw_report_v1('{"items": [{"event_id": "30000000-0000-4000-8000-0000000000aa", "kind": "sent", "local_id": "30000000-0000-4000-8000-0000000000ab",
  "phone_number": "+15550100050", "content": "confirmed", "class": "reply"}]}') -> 'verdicts' -> 0 ->> 'verdict', 'applied', 'a reply of the box');
select is((select class || ' ' || status from messages where local_id = '30000000-0000-4000-8000-0000000000ab'), 'reply sent', 'is in the log');
select is((select cost from messages where local_id = '30000000-0000-4000-8000-0000000000ab'), 0::numeric, 'and costs nothing');

-- A box that claims a row again after its lease was over tells of the same message of its own.
insert into scheduled_messages (id, pool, phone_number, message_content, status, priority) values (920020, 'p', '+15550100020', 'x', 'scheduled', 100);
select pg_temp.ids(gw_claim_v1('{"request_id": "d", "limit": 1}'));
create function pg_temp.tell_local(n int, epoch int, kind text) returns text language sql as $$
  select gw_report_v1(jsonb_build_object('items', jsonb_build_array(jsonb_build_object('event_id', format('30000000-0000-4000-8000-%s', lpad(n::text, 12, '0')),
    'kind', kind, 'job_id', 920020, 'epoch', epoch, 'at', now(), 'local_id', '30000000-0000-4000-8000-0000000000cc')))) -> 'verdicts' -> 0 ->> 'verdict' $$;
select is(pg_temp.tell_local(20, 1, 'attempt'), 'applied', 'first round');
select set_config('conductor.actor', 'test', true);
update scheduled_messages set lease_expires_at = now() - interval '1 minute', on_unknown = 'resend' where id = 920020;
select set_config('conductor.actor', '', true);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "e", "limit": 1}')), '{920020}', 'claimed again');
select is(pg_temp.tell_local(21, 2, 'sent'), 'applied', 'second round, the same message');
select results_eq($$select claim_epoch, status from messages where scheduled_message_id = 920020$$, $$values (2::bigint, 'sent'::text)$$, 'has one row');

-- A row that its box may send without asking: when its lease is over, nobody knows. The box that did not send it gives it back.
insert into scheduled_messages (id, pool, phone_number, message_content, status, priority) values (920021, 'p', '+15550100021', 'x', 'scheduled', 100);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "f", "limit": 1, "instance": "i"}')), '{920021}', 'claimed alone in the pool');
select results_eq($$select pinned, claimed_instance from scheduled_messages where id = 920021$$, $$values (true, 'i'::text)$$, 'is pinned, by this instance');
select set_config('conductor.actor', 'test', true);
update scheduled_messages set lease_expires_at = now() - interval '1 minute' where id = 920021;
select set_config('conductor.actor', '', true);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "g", "limit": 1}')), '{}', 'nobody gets it');
select is(pg_temp.state(920021), 'unknown unknown lease-over', 'it is unknown');
select is(gw_report_v1('{"items": [{"event_id": "30000000-0000-4000-8000-000000000022", "kind": "released", "job_id": 920021, "epoch": 1, "reason": "lease-lost"}]}')
  -> 'verdicts' -> 0 ->> 'verdict', 'applied', 'the box gives it back');
select is(pg_temp.state(920021), 'queued none lease-lost', 'so that it goes out after all');

-- The doorbell: once a statement and pool, for what may be taken soon, whoever puts it into the queue; and a box for its commands.
create function pg_temp.rings() returns text language sql as $$   -- of what was one transaction each
  select set_config('conductor.rung', '', true);
  with gone as (delete from realtime.messages returning topic) select coalesce(string_agg(topic, ' ' order by topic), '-') from gone $$;
select pg_temp.rings();
insert into scheduled_messages (id, pool, phone_number, message_content, status, scheduled_send_time)
  select 930000 + g, case when g < 50 then 'p' else 'q' end, '+15550100001', 'x', 'scheduled', now() from generate_series(1, 60) g;
select is(pg_temp.rings(), 'gw-pool:p gw-pool:q', 'sixty rows ring two pools once each');
insert into scheduled_messages (id, pool, phone_number, message_content, status, scheduled_send_time) values
  (930101, 'p', '+15550100001', 'x', 'draft', now()), (930102, 'p', '+15550100001', 'x', 'scheduled', now() + interval '1 hour');
select is(pg_temp.rings(), '-', 'a draft and a row for later ring nobody');
update scheduled_messages set priority = 7 where pool = 'p';
select is(pg_temp.rings(), '-', 'nor does what changes no time');
update scheduled_messages set scheduled_send_time = now() where id = 930102;
select is(pg_temp.rings(), 'gw-pool:p', 'a row that is due sooner rings');
select is(jsonb_array_length(gw_claim_v1('{"request_id": "h", "limit": 3}') -> 'jobs'), 3, 'taking rows');
select is(pg_temp.rings(), '-', 'rings nobody');
insert into gateway_commands (gateway_id, kind) values ('p1', 'sync'), ('p1', 'doctor'), ('p2', 'sync');
select is(pg_temp.rings(), 'gw-box:p1 gw-box:p2', 'a command rings its box');
select is((select count(*) from jsonb_array_elements(gw_commands_v1(jsonb_build_object('after', gw_commands_v1('{"limit": 1}') #> '{commands,0,id}')) -> 'commands')),
  (select count(*) - 1 from gateway_commands where gateway_id = 'p1' and acked_at is null), 'the page behind the first command');
select ok(private.may_listen('gw-box:p1') and private.may_listen('gw-pool:p'), 'a box listens on its own channels');
select ok(not private.may_listen('gw-box:p2') and not private.may_listen('gw-pool:q'), 'and on no other');
delete from scheduled_messages where id > 930000;

-- What travels with a row, and the order that follows from it.
select set_config('conductor.actor', 'test', true);
update scheduled_messages set status = 'expired' where pool in ('p', 'r') and status in ('scheduled', 'queued');
select set_config('conductor.actor', '', true);
insert into auth.users (id, email) values ('20000000-0000-4000-8000-000000000003', 'p3@example.com'), ('20000000-0000-4000-8000-000000000004', 'p4@example.com');
insert into gateways (id, auth_user_id, pool) values ('p3', '20000000-0000-4000-8000-000000000003', 'r'), ('p4', '20000000-0000-4000-8000-000000000004', 'r');
insert into customers (member_id, phone, state, total_visits, total_sales, lifetime_value, vip_status, last_visited) values
  ('R1', '+15550100301', 'CA', 20, 20, 900, 'VIP', current_date - 10), ('R2', '+15550100302', 'NV', 1, 1, 10, 'New', current_date),
  ('R3', '+15550100303', 'CA', 1, 1, 20, 'New', current_date), ('R4', '+15550100303', 'CA', 1, 1, 30, 'New', current_date);
insert into customer_visit_patterns (customer_id, avg_days_between_visits, total_visits) values ('R1', 10, 20);
insert into messages (phone_number, content, status, direction, sent_at, "timestamp", gateway_id) values
  ('+15550100301', 'a', 'delivered', 'outbound', now() - interval '40 days', now() - interval '40 days', 'p4'),
  ('+15550100301', 'b', 'unread', 'inbound', null, now() - interval '39 days', 'p4'),
  ('+15550100301', 'c', 'delivered', 'outbound', now() - interval '5 days', now() - interval '5 days', 'p4'),
  ('+15550100301', 'd', 'unread', 'inbound', null, now() - interval '1 day', 'p4');
select set_config('request.jwt.claims', '', true);
select isnt(recalculate_v1() -> 'percentiles', null, 'percentiles are calculated');
insert into campaign_messages (id, phone_number, message_content, status) values (950001, '+15550100301', 'x', 'draft');
insert into scheduled_messages (id, pool, phone_number, message_content, status, scheduled_send_time, priority, class, campaign_message_id, bubble_no, bubble_total) values
  (940002, 'r', '+15550100302', 'fresh', 'scheduled', now() - interval '3 hours', 50, 'marketing', null, 1, 1),
  (940001, 'r', '+15550100301', 'due', 'scheduled', now() - interval '2 hours', 50, 'marketing', 950001, 2, 3),
  (940003, 'r', '+15550100303', 'two customers', 'scheduled', now() - interval '1 hour', 50, 'marketing', null, 1, 1),
  (940004, 'r', '+15550100304', 'first', 'scheduled', now(), 60, 'reply', null, 1, 1);
select pg_temp.as_box(3);
create temp table featured on commit drop as select j from jsonb_array_elements(gw_claim_v1('{"request_id": "k", "instance": "i3"}') -> 'jobs') j;
select results_eq($$select (j ->> 'id')::bigint from featured$$, array[940004, 940001, 940002, 940003]::bigint[],
  'by priority; then the better score is worth some hours; nobody else''s number');
select results_eq($$select j #>> '{customer,tier}', j #>> '{customer,visits}', j #>> '{customer,cycle_days}', (j #>> '{customer,value_percentile}')::numeric,
    j #>> '{customer,sent}', j #>> '{customer,replied}', j #>> '{customer,sent_30_days}', j ->> 'state', j ->> 'set', j ->> 'set_no', j ->> 'set_total',
    (j #>> '{customer,prime_window,0}')::date - current_date, (j #>> '{customer,prime_window,1}')::date - current_date
  from featured where j ->> 'id' = '940001'$$,
  $$values ('VIP', '20', '10.00', 1.00, '2', '1', '1', 'CA', 'campaign-message-950001', '2', '3', -2, 2)$$, 'what the box ranks by');
select ok((select (j ->> 'score')::numeric between 79 and 82 from featured where j ->> 'id' = '940001'),
  'at the end of the window 32 to 34, best value 25, campaign 7.5, one of two answered 16.7, one message this month -1.3');
select is((select j -> 'customer' from featured where j ->> 'id' = '940003'), '{"sent": 0, "replied": 0, "sent_30_days": 0}', 'a number of two customers is nobody''s');
select is(gw_begin_v1('{"instance": "i3", "jobs": [{"id": 940002, "epoch": 1, "revision": 1}]}') #>> '{jobs,0,go}', 'true', 'go');
select is(gw_begin_v1('{"instance": "i3", "jobs": [{"id": 940002, "epoch": 1, "revision": 1}]}') #>> '{jobs,0,go}', 'true', 'again, for who got it');
select is(gw_begin_v1('{"instance": "i4", "jobs": [{"id": 940002, "epoch": 1, "revision": 1}]}') #>> '{jobs,0,reason}', 'begun-before', 'not for another instance of it');

-- One call, many answers: each row is looked at for itself, one that is named again after its first answer, in the order of the call.
insert into auth.users (id, email) values ('20000000-0000-4000-8000-000000000006', 'p6@example.com');
insert into gateways (id, auth_user_id, pool) values ('v1', '20000000-0000-4000-8000-000000000006', 'v'), ('v2', null, 'v');
insert into opt_outs (phone_number) values ('+15550100505'), ('+15550100509');
insert into scheduled_messages (id, pool, phone_number, message_content, status, class)
  select 960000 + g, 'v', '+1555010050' || g, 'x', 'scheduled', case g when 9 then 'reply' else 'marketing' end from generate_series(1, 9) g;
select pg_temp.as_box(6);
select is(cardinality(pg_temp.ids(gw_claim_v1('{"request_id": "v", "instance": "i"}'))), 9, 'nine rows');
select set_config('conductor.actor', '', true);
update scheduled_messages set message_content = 'edited' where id = 960002;
update scheduled_messages set status = 'cancelled' where id = 960003;
select set_config('conductor.actor', 'test', true);
update scheduled_messages set expires_at = now() - interval '1 second' where id = 960004;
update scheduled_messages set lease_expires_at = now() - interval '1 second' where id = 960006;
update scheduled_messages set claimed_by = 'v2' where id = 960007;
select set_config('conductor.actor', '', true);
create function pg_temp.asked(ids bigint[]) returns jsonb language sql as $$
  select jsonb_build_object('instance', 'i', 'jobs', coalesce((select jsonb_agg(jsonb_build_object('id', id, 'epoch', 1, 'revision', case id when 960004 then 2 else 1 end) order by o)
    from unnest(ids) with ordinality t (id, o)), '[]')) $$;
create function pg_temp.said(answer jsonb, word text) returns text language sql as $$
  select string_agg(right(j ->> 'id', 1) || ' ' || coalesce(j ->> 'reason', j ->> word), ', ' order by o) from jsonb_array_elements(answer -> 'jobs') with ordinality t (j, o) $$;
select is(pg_temp.said(gw_begin_v1(pg_temp.asked('{960009,960002,960003,960004,960005,960006,960007,960001,960099,960001}')), 'go'),
  '9 true, 2 edited, 3 cancelled, 4 expired, 5 opted-out, 6 lease, 7 stale-epoch, 1 true, 9 not-found, 1 true', 'the reason of each, in order');
select results_eq($$select id, begun_instance, begun_at is not null from scheduled_messages where pool = 'v' and status = 'sending' order by id$$,
  $$values (960001::bigint, 'i'::text, true), (960009, 'i', true)$$, 'two have begun');
select is(pg_temp.said(gw_renew_v1(pg_temp.asked('{960008,960003,960001,960006,960099,960007,960008}') || '{"lease_s": 1800}'), 'held'),
  '8 true, 3 cancelled, 1 true, 6 lease, 9 not-found, 7 stale-epoch, 8 true', 'so are renewals');
select results_eq($$select id from scheduled_messages where pool = 'v' and lease_expires_at > now() + interval '29 minutes' order by id$$, array[960001, 960008]::bigint[], 'longer by half an hour');
select is(gw_renew_v1(pg_temp.asked('{960001}')) #>> '{jobs,0,lease_expires_at}', (select to_jsonb(lease_expires_at) #>> '{}' from scheduled_messages where id = 960001), 'never shorter');
select is(gw_begin_v1(pg_temp.asked('{}')) -> 'jobs', '[]', 'nothing asked');
select is(gw_renew_v1(pg_temp.asked('{}')) -> 'jobs', '[]', 'nothing renewed');
update gateways set instance = 'k' where id = 'v1';
select is(pg_temp.said(gw_begin_v1(pg_temp.asked('{960008,960001}')), 'go') || '; ' || pg_temp.said(gw_renew_v1(pg_temp.asked('{960008,960001}')), 'held'),
  '8 fenced, 1 fenced; 8 fenced, 1 fenced', 'a replaced instance gets neither');

-- A recipient stays with the box that wrote last, while that box claims; an urgent row is not behind the backlog.
insert into scheduled_messages (id, pool, phone_number, message_content, status, scheduled_send_time) values (940011, 'r', '+15550100301', 'again', 'scheduled', now());
select pg_temp.as_box(4);
select pg_temp.ids(gw_claim_v1('{"request_id": "l", "limit": 0}'));
select pg_temp.as_box(3);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "m"}')), '{}', 'p4 wrote to it last, and lives');
select pg_temp.as_box(4);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "n"}')), '{940011}', 'it is for p4');
insert into scheduled_messages (id, pool, phone_number, message_content, status, scheduled_send_time) values (940012, 'r', '+15550100301', 'again', 'scheduled', now());
update gateways set last_claim_at = now() - interval '5 minutes' where id = 'p4';
select pg_temp.as_box(3);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "o"}')), '{940012}', 'a box that does not claim keeps nobody waiting');
insert into scheduled_messages (pool, phone_number, message_content, status, scheduled_send_time)
  select 'r', '+15550100309', 'backlog', 'scheduled', now() - interval '1 day' from generate_series(1, 300);
insert into scheduled_messages (id, pool, phone_number, message_content, status, class) values (940020, 'r', '+15550100310', 'answer', 'scheduled', 'reply');
select is(jsonb_array_length(gw_claim_v1('{"request_id": "q", "limit": 5}') -> 'jobs'), 5, 'taking five of many');
select ok(exists (select from scheduled_messages where id = 940020 and status in ('queued', 'claimed')),
  'a reply is promoted before three hundred rows of yesterday');
select is((select count(*) from scheduled_messages where pool = 'r' and status = 'queued') <= 55, true, 'and no more than are needed');

-- An answer is linked to what it answers.
select gw_inbound_v1(format('{"items": [{"local_id": "30000000-0000-4000-8000-0000000000d1", "phone_number": "+15550100301", "content": "yes", "timestamp": "%s"},
  {"local_id": "30000000-0000-4000-8000-0000000000d2", "phone_number": "+15550100301", "content": "late", "timestamp": "%s"}]}',
  now() - interval '4 days', now() + interval '3 days')::jsonb);
select results_eq($$select m.content, q.content, m.customer_id from messages m left join messages q on q.id = m.in_reply_to
    where m.local_id in ('30000000-0000-4000-8000-0000000000d1', '30000000-0000-4000-8000-0000000000d2') order by m.local_id$$,
  $$values ('yes', 'c', 'R1'), ('late', null, 'R1')$$, 'to the last one within seven days');

-- The pieces of one message: one box, in order, beyond the limit; not after one that failed.
select set_config('conductor.actor', 'test', true);
update scheduled_messages set status = 'expired' where pool = 'r' and status in ('scheduled', 'queued');
insert into campaign_messages (id, phone_number, message_content, status, round) values (950002, '+15550100320', 'x', 'draft', 1), (950003, '+15550100321', 'x', 'draft', 1);
insert into scheduled_messages (id, pool, phone_number, message_content, status, scheduled_send_time, campaign_message_id, campaign_round, bubble_no, bubble_total)
  select 940100 + 10 * m + n, 'r', '+1555010032' || m, 'piece', 'scheduled', now() + n * interval '3 seconds', 950002 + m, 1, n, 3 from generate_series(0, 1) m, generate_series(1, 3) n;
select set_config('conductor.actor', '', true);
update gateways set last_claim_at = null where pool = 'r';
select pg_temp.as_box(3);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "s1", "limit": 1}')), '{940101,940102,940103}', 'all three for one box');
select pg_temp.as_box(4);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "s2", "limit": 1}')), '{940111,940112,940113}', 'the next three for the other');
select is(gw_report_v1('{"items": [{"event_id": "30000000-0000-4000-8000-0000000000c1", "kind": "failed", "job_id": 940111, "epoch": 1, "reason": "cms-38"},
  {"event_id": "30000000-0000-4000-8000-0000000000c2", "kind": "released", "job_id": 940112, "epoch": 1},
  {"event_id": "30000000-0000-4000-8000-0000000000c3", "kind": "released", "job_id": 940113, "epoch": 1}]}') #>> '{verdicts,2,verdict}', 'applied', 'the first failed, the rest is given back');
select pg_temp.as_box(3);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "s3"}')), '{}', 'and waits');
select set_config('conductor.actor', '', true);
update scheduled_messages set status = 'scheduled' where id = 940111;
select is(pg_temp.ids(gw_claim_v1('{"request_id": "s4"}')), '{940111,940112,940113}', 'for another round of the first');

-- Of a campaign whose messages all have the same time whole messages are claimed, also what is not promoted yet; and what is given back of one
-- is left to the box that has just sent the piece before it, while that box claims.
insert into campaign_messages (id, phone_number, message_content, status, round) select 951000 + g, '+15550100330', 'x', 'draft', 1 from generate_series(1, 100) g;
insert into scheduled_messages (id, pool, phone_number, message_content, status, scheduled_send_time, campaign_message_id, campaign_round, bubble_no, bubble_total)
  select 970000 + 10 * g + n, 'u', '+1555011' || lpad(g::text, 4, '0'), 'piece', 'scheduled', now() + n * interval '3 seconds' + case when g > 98 and n = 2 then interval '1 hour' else '0' end,
         951000 + g, 1, n, 3
  from generate_series(1, 100) g, generate_series(1, 3) n;
insert into auth.users (id, email) values ('20000000-0000-4000-8000-000000000007', 'p7@example.com'), ('20000000-0000-4000-8000-000000000008', 'p8@example.com');
insert into gateways (id, auth_user_id, pool) values ('u1', '20000000-0000-4000-8000-000000000007', 'u'), ('u2', '20000000-0000-4000-8000-000000000008', 'u');
select pg_temp.as_box(7);
select set_eq($$select j ->> 'set' as message, count(*) as pieces, min((j ->> 'score')::numeric) is not null as ranked from jsonb_array_elements(gw_claim_v1('{"request_id": "u1"}') -> 'jobs') j group by 1$$,
  $$select 'campaign-message-' || campaign_message_id as message, count(*) as pieces, true as ranked from scheduled_messages where pool = 'u' and claimed_by = 'u1' group by 1 having count(*) = 3$$, 'whole messages');
select is((select count(distinct campaign_message_id) from scheduled_messages where pool = 'u' and claimed_by = 'u1'), 20::bigint, 'twenty of them');
select set_config('conductor.actor', 'test', true);
update scheduled_messages set priority = 100 where pool = 'u' and id > 970990;
select set_config('conductor.actor', '', true);
select pg_temp.as_box(8);
select is((select array_agg(id order by id) from unnest(pg_temp.ids(gw_claim_v1('{"request_id": "u2", "limit": 2}'))) id where id > 970990), '{970991,971001}', 'nothing behind a piece that is for later');
create temp table held on commit drop as select campaign_message_id as message, min(id) as first from scheduled_messages where pool = 'u' and claimed_by = 'u1' group by 1 order by 1 limit 1;
select pg_temp.as_box(7);
select is(gw_report_v1(jsonb_build_object('items', (select jsonb_agg(jsonb_build_object('event_id', gen_random_uuid(), 'kind', case n when 0 then 'sent' else 'released' end, 'job_id', first + n, 'epoch', 1) order by n)
  from held, generate_series(0, 2) n))) #>> '{verdicts,2,verdict}', 'applied', 'one was sent, two given back');
select set_config('conductor.actor', 'test', true);
update scheduled_messages s set priority = 100 from held where s.campaign_message_id = held.message;
select set_config('conductor.actor', '', true);
select pg_temp.as_box(8);
select is((select count(*) from scheduled_messages s join held h on h.message = s.campaign_message_id where s.id = any (pg_temp.ids(gw_claim_v1('{"request_id": "u3", "limit": 1}')))), 0::bigint, 'not for the other box');
select pg_temp.as_box(7);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "u4", "limit": 1}')), (select array[first + 1, first + 2] from held), 'they go on where the first one went');
select pg_temp.as_box(3);

-- A box that polls seldom is there as long as it says so.
update gateways set last_claim_at = now() - interval '1 hour' where id = 'p3';
select gw_report_v1('{"items": [{"kind": "heartbeat", "claims": false}]}');
select ok((select last_claim_at < now() - interval '2 minutes' from gateways where id = 'p3'), 'a heartbeat alone is no claim');
select gw_report_v1('{"items": [{"kind": "heartbeat", "claims": true}]}');
select ok((select last_claim_at = now() from gateways where id = 'p3'), 'that of a box which claims what rings is');

-- A go is prolonged for an hour; a lease that is over is seen at a heartbeat, though nobody claims.
select ok((select begun_at is not null from scheduled_messages where id = 940002), 'when it was begun is known');
select is(gw_renew_v1('{"jobs": [{"id": 940002, "epoch": 1, "revision": 1}]}') #>> '{jobs,0,held}', 'true', 'prolonged');
select set_config('conductor.actor', 'test', true);
update scheduled_messages set begun_at = now() - interval '61 minutes' where id = 940002;
select is(gw_renew_v1('{"jobs": [{"id": 940002, "epoch": 1, "revision": 1}]}') #>> '{jobs,0,reason}', 'lease', 'not for ever');
update scheduled_messages set lease_expires_at = now() - interval '1 minute' where id = 940002;
select gw_report_v1('{"items": [{"event_id": "30000000-0000-4000-8000-0000000000b1", "kind": "heartbeat"}]}');
select is(pg_temp.state(940002), 'unknown unknown lease-over', 'what became of it is unknown');
select is(gw_report_v1('{"items": [{"event_id": "30000000-0000-4000-8000-0000000000b2", "kind": "released", "job_id": 940002, "epoch": 1, "instance": "i3"}]}')
  #>> '{verdicts,0,verdict}', 'applied', 'unless its box gives it back');
select is((select status from scheduled_messages where id = 940002), 'queued', 'so that it goes out after all');

-- What a box had the go for and never sent when a newer instance replaced it, which calls it unknown: it gives that back, and nobody else can.
select set_config('conductor.actor', 'test', true);
update scheduled_messages set status = 'expired' where pool = 'r' and status in ('scheduled', 'queued');
select set_config('conductor.actor', '', true);
insert into scheduled_messages (id, pool, phone_number, message_content, status, priority) values (940040, 'r', '+15550100340', 'begun', 'scheduled', 100);
select is(pg_temp.ids(gw_claim_v1('{"request_id": "b1", "limit": 1, "instance": "i3"}')), '{940040}', 'claimed by the older instance');
select is(gw_begin_v1('{"instance": "i3", "jobs": [{"id": 940040, "epoch": 1, "revision": 1}]}') #>> '{jobs,0,go}', 'true', 'that has the go');
select gw_report_v1('{"items": [{"event_id": "30000000-0000-4000-8000-0000000000e0", "kind": "unknown", "job_id": 940040, "epoch": 1, "reason": "begun-before",
  "local_id": "30000000-0000-4000-8000-0000000000e9"}]}');
select is(pg_temp.state(940040), 'unknown unknown begun-before', 'the newer one does not know');
create function pg_temp.gives_back(n int, more jsonb) returns text language sql as $$
  select gw_report_v1(jsonb_build_object('items', jsonb_build_array(jsonb_build_object('event_id', format('30000000-0000-4000-8000-0000000000e%s', n),
    'kind', 'released', 'job_id', 940040, 'epoch', 1, 'reason', 'lease-lost') || more))) #>> '{verdicts,0,verdict}' $$;
select is(pg_temp.gives_back(1, '{"instance": "i4"}'), 'stale_epoch', 'another instance gives nothing back');
select is(pg_temp.gives_back(2, '{}'), 'stale_epoch', 'nor does who does not say which it is');
select is(pg_temp.state(940040), 'unknown unknown begun-before', 'it stays unknown');
select is(pg_temp.gives_back(3, '{"instance": "i3"}'), 'applied', 'who had the go does');
select is(pg_temp.state(940040), 'queued none lease-lost', 'so that it goes out after all');
select results_eq($$select status, delivery_status, reason from messages where scheduled_message_id = 940040$$, $$values ('cancelled'::text, 'none'::text, 'lease-lost'::text)$$, 'the log says that it went nowhere');

-- Queued rows that this box may not take yet hold up nothing: those of later, of another box's recipients, and pieces behind one that failed.
select set_config('conductor.actor', '', true);
insert into auth.users (id, email) values ('20000000-0000-4000-8000-000000000005', 'p5@example.com');
insert into gateways (id, auth_user_id, pool, last_claim_at) values ('w1', '20000000-0000-4000-8000-000000000005', 'w', null), ('w2', null, 'w', now());
insert into campaigns (campaign_name) values ('waiting');
insert into campaign_messages (id, phone_number, message_content, status, campaign_name)
  select 970000 + g, '+15550100001', 'a[BUBBLE]b', 'suggested', 'waiting' from generate_series(1, 80) g;
insert into scheduled_messages (id, pool, phone_number, message_content, status, scheduled_send_time, campaign_message_id, bubble_no, bubble_total)
  select 950000 + kind * 1000 + g, 'w', '+15550100001', 'waits', 'scheduled', now() + case kind when 1 then interval '1 day' else interval '0' end,
         case kind when 3 then 970000 + g end, case kind when 3 then 2 else 1 end, case kind when 3 then 2 else 1 end
  from generate_series(1, 3) kind, generate_series(1, 80) g;
insert into scheduled_messages (id, pool, phone_number, message_content, status, campaign_message_id, bubble_no, bubble_total)
  select 954000 + g, 'w', '+15550100001', 'failed', 'scheduled', 970000 + g, 1, 2 from generate_series(1, 80) g;
insert into scheduled_messages (id, pool, phone_number, message_content, status, class, scheduled_send_time)
  select 959000 + g, 'w', '+15550100001', 'due', 'scheduled', 'reply', now() - g * interval '1 second' from generate_series(1, 3) g;
create function pg_temp.queue_kind(n int) returns void language plpgsql as $$
begin
  perform set_config('conductor.actor', 'test', true);
  update scheduled_messages set status = 'queued', preferred_gateway = case n when 2 then 'w2' end where id between 950000 + n * 1000 + 1 and 950000 + n * 1000 + 80;
  if n = 3 then
    update scheduled_messages set status = 'queued' where id between 954001 and 954080;
    update scheduled_messages set status = 'failed' where id between 954001 and 954080;
  end if;
  perform set_config('conductor.actor', '', true);
end $$;
create function pg_temp.claimed_behind(kind int) returns bigint[] language plpgsql as $$
declare answer bigint[];
begin
  begin
    perform pg_temp.queue_kind(kind);
    perform set_config('conductor.actor', '', true);
    delete from scheduled_messages where pool = 'w' and id < 959000 and status = 'scheduled';
    perform pg_temp.as_box(5);
    answer := pg_temp.ids(gw_claim_v1('{"request_id": "w"}'));
    raise sqlstate 'ZZ000' using message = 'undone';
  exception when sqlstate 'ZZ000' then null;
  end;
  return answer;
end $$;
select is(pg_temp.claimed_behind(kind), '{959003,959002,959001}', format('due rows are claimed although %s are queued', name))
from (values (1, 'rows of tomorrow'), (2, 'rows for another box'), (3, 'pieces behind a failed one')) k (kind, name);
select set_config('conductor.actor', '', true);
-- While there is enough that it can take, no more is promoted; but what is urgent does not wait until that has gone out.
select pg_temp.queue_kind(1);
update scheduled_messages set scheduled_send_time = now() where pool = 'w' and id between 951001 and 951080;
update scheduled_messages set class = 'marketing' where pool = 'w' and id between 959001 and 959003;
insert into scheduled_messages (id, pool, phone_number, message_content, status, class, priority) values
  (959004, 'w', '+15550100002', 'your code is 1234', 'scheduled', 'transactional', 90);
select pg_temp.as_box(5);
create temp table urgent as select pg_temp.ids(gw_claim_v1('{"request_id": "w"}')) as ids;
select is((select ids[1] from urgent), 959004::bigint, 'what is urgent goes before eighty rows that were queued');
select is((select cardinality(ids) from urgent), 20, 'enough is queued');
select set_config('conductor.actor', '', true);
select is((select count(*) from scheduled_messages where pool = 'w' and id > 959000 and status = 'scheduled'), 3::bigint, 'so that nothing is promoted');

-- Queued is what is due: what is given back or put off for later is scheduled again, with nothing left of the claim.
select pg_temp.as_box(5);
update gateways set enabled = false where id = 'w2';
insert into scheduled_messages (id, pool, phone_number, message_content, status, scheduled_send_time) values
  (959011, 'w', '+15550100001', 'tomorrow', 'scheduled', now() + interval '1 day'), (959012, 'w', '+15550100001', 'soon', 'scheduled', now() + interval '4 minutes'),
  (959013, 'w', '+15550100001', 'tomorrow', 'scheduled', now() + interval '1 day');
select is(pg_temp.ids(gw_claim_v1('{"request_id": "x", "limit": 500, "instance": "i"}')) @> '{959011,959012,959013}', true, 'alone, a box takes rows of tomorrow');
update gateways set enabled = true where id = 'w2';
select set_config('conductor.actor', 'test', true);
update scheduled_messages set status = 'unknown', delivery_status = 'unknown', reason = 'lease-over' where id = 959013;
select set_config('conductor.actor', '', true);
select gw_report_v1(jsonb_build_object('items', (select jsonb_agg(jsonb_build_object('event_id', gen_random_uuid(), 'kind', 'released', 'job_id', id, 'epoch', 1,
  'reason', 'pool', 'instance', 'i')) from generate_series(959011, 959013) id)));
select results_eq($$select id, status, delivery_status, reason, claimed_by, lease_expires_at from scheduled_messages where id between 959011 and 959013 order by id$$,
  $$values (959011::bigint, 'scheduled', 'none', 'pool', null::text, null::timestamptz), (959012, 'queued', 'none', 'pool', null, null), (959013, 'scheduled', 'none', 'pool', null, null)$$,
  'what was given back');
select set_config('conductor.actor', '', true);
update scheduled_messages set priority = 60 where id = 959012;
select is((select status from scheduled_messages where id = 959012), 'queued', 'an edit leaves it queued');
update scheduled_messages set scheduled_send_time = now() + interval '1 day' where id = 959012;
select is((select status from scheduled_messages where id = 959012), 'scheduled', 'unless it is put off');
update scheduled_messages set scheduled_send_time = now() where id = 959012;
select is(pg_temp.ids(gw_claim_v1('{"request_id": "y"}')) @> '{959012}', true, 'it goes out when it is due again');
select set_config('conductor.actor', '', true);

-- What enters the queue can be sent.
select set_config('conductor.actor', '', true);
select throws_ok($$insert into scheduled_messages (phone_number, message_content, status) values ('+15550100001', 'Hi {first_name}', 'scheduled')$$, '23514',
  'the variable {first_name} was not replaced', 'no variables');
select throws_ok($$insert into scheduled_messages (phone_number, message_content, status) values ('+15550100001', 'a[BUBBLE]b', 'scheduled')$$, '23514', null, 'no bubbles');
select throws_ok(format('insert into scheduled_messages (phone_number, message_content, status) values (''+15550100001'', %L, ''scheduled'')', text), '23514', null, translate(text, E'\n\t', '  ') || ' is refused')
from unnest(array['Hi { name }', 'Hi {{FirstName}}', 'Hi {prénom}', 'Hi {name|friend}', E'Hi {\tname\n}', 'a[Bubble]b', 'a [ BUBBLE ] b', E'a[bubble\n]b']) text;
select lives_ok(format('insert into scheduled_messages (phone_number, message_content, status) values (''+15550100001'', %L, ''scheduled'')', text), text || ' is a text')
from unnest(array['A {} b', 'Smile {:-)', '{ 50 % off }', 'bubble [tea]', 'set {1, 2}']) text;
select lives_ok($$insert into scheduled_messages (id, phone_number, message_content, status) values (940030, '+15550100001', 'Hi {first_name}', 'draft')$$, 'a draft may');
select throws_ok($$update scheduled_messages set status = 'scheduled' where id = 940030$$, '23514', null, 'until it is scheduled');

-- Plans: with many rows for later, claiming and promoting walk their indexes.
insert into scheduled_messages (pool, phone_number, message_content, status, scheduled_send_time)
  select 'p', '+15550100001', 'x', 'scheduled', now() + interval '30 days' + g * interval '1 second' from generate_series(1, 20000) g;
analyze scheduled_messages;
create function pg_temp.plan_of(query text) returns text language plpgsql as $$
declare plan jsonb; begin execute 'explain (format json) ' || query into plan; return plan::text; end $$;
select matches(pg_temp.plan_of($$select id from scheduled_messages where pool = 'p' and coalesce(gateway_id, '') = '' and (case when class <> 'marketing' or priority > 50 then 0 else 1 end) = 1
  and status = 'scheduled' and scheduled_send_time <= now() order by scheduled_send_time limit 100 for update skip locked$$), 'scheduled_messages_due',
  'promotion uses its index');
select matches(pg_temp.plan_of($$select id from scheduled_messages where pool = 'p' and coalesce(gateway_id, '') = '' and status = 'queued'
  and scheduled_send_time <= now() order by priority desc, claim_rank, id limit 20 for update skip locked$$),
  '"Index Cond": "[^"]*scheduled_send_time.*scheduled_messages_take', 'claiming uses its index, also for what is not due');

select * from finish();
rollback;
