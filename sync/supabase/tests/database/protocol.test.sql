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

-- A message of the box's own is logged too.
select is(gw_report_v1('{"items": [{"event_id": "30000000-0000-4000-8000-0000000000aa", "kind": "sent", "local_id": "30000000-0000-4000-8000-0000000000ab",
  "phone_number": "+15550100050", "content": "confirmed", "class": "reply"}]}') -> 'verdicts' -> 0 ->> 'verdict', 'applied', 'a reply of the box');
select is((select class || ' ' || status from messages where local_id = '30000000-0000-4000-8000-0000000000ab'), 'reply sent', 'is in the log');

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
create function pg_temp.rings() returns text language sql as $$
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
select ok(private.may_listen('gw-box:p1') and private.may_listen('gw-pool:p'), 'a box listens on its own channels');
select ok(not private.may_listen('gw-box:p2') and not private.may_listen('gw-pool:q'), 'and on no other');
delete from scheduled_messages where id > 930000;

-- Plans: with many rows for later, claiming and promoting walk their indexes.
insert into scheduled_messages (pool, phone_number, message_content, status, scheduled_send_time)
  select 'p', '+15550100001', 'x', 'scheduled', now() + interval '30 days' + g * interval '1 second' from generate_series(1, 20000) g;
analyze scheduled_messages;
create function pg_temp.plan_of(query text) returns text language plpgsql as $$
declare plan jsonb; begin execute 'explain (format json) ' || query into plan; return plan::text; end $$;
select matches(pg_temp.plan_of($$select id from scheduled_messages where pool = 'p' and status = 'scheduled' and scheduled_send_time <= now()
  order by scheduled_send_time limit 100 for update skip locked$$), 'scheduled_messages_promote', 'promotion uses its index');
select matches(pg_temp.plan_of($$select id from scheduled_messages where pool = 'p' and status = 'queued' and (gateway_id is null or gateway_id = 'p1')
  order by priority desc, scheduled_send_time, id limit 20 for update skip locked$$), 'scheduled_messages_claim', 'claiming uses its index');

select * from finish();
rollback;
