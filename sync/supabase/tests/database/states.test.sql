-- Transitions of scheduled_messages, edits and cancels, evidence, and what else the triggers guard.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

create temp table words (word text) on commit drop;
insert into words values ('draft'), ('approved'), ('rejected'), ('scheduled'), ('queued'), ('claimed'), ('sending'), ('sent'), ('delivered'),
  ('undelivered'), ('failed'), ('expired'), ('cancelled'), ('suppressed'), ('unknown');

-- True when a row in `f` may be set to `t` by a box or by a person.
create function pg_temp.may_go(by_gateway boolean, f text, t text) returns boolean language plpgsql as $$
declare answer boolean;
begin
  begin
    perform set_config('conductor.actor', 'test', true);
    insert into scheduled_messages (id, phone_number, message_content, status) values (910000, '+15550100001', 'x', f);
    perform set_config('conductor.actor', case when by_gateway then 'test' else '' end, true);
    update scheduled_messages set status = t where id = 910000;
    raise sqlstate 'ZZ000' using message = 'yes';
  exception when sqlstate 'ZZ000' then answer := true; when check_violation then answer := false;
  end;
  return answer;
end $$;

select set_eq(
  $$select f.word as f, t.word as t from words f, words t where f.word <> t.word and pg_temp.may_go(false, f.word, t.word)$$,
  $$values ('draft', 'approved'), ('draft', 'rejected'), ('draft', 'scheduled'), ('draft', 'cancelled'),
    ('approved', 'draft'), ('approved', 'rejected'), ('approved', 'scheduled'), ('approved', 'cancelled'), ('approved', 'expired'),
    ('rejected', 'draft'), ('scheduled', 'draft'), ('scheduled', 'approved'), ('scheduled', 'cancelled'),
    ('queued', 'scheduled'), ('queued', 'cancelled'), ('claimed', 'scheduled'), ('claimed', 'cancelled'),
    ('queued', 'approved'), ('claimed', 'approved'),  -- a paused campaign
    ('undelivered', 'scheduled'), ('failed', 'scheduled'), ('expired', 'scheduled'), ('cancelled', 'scheduled'), ('suppressed', 'scheduled'),
    ('unknown', 'scheduled')$$, 'people plan, cancel and ask for another round, and nothing else');
select is_empty(
  $$select f.word as f, t.word as t from words f, words t where f.word in ('draft', 'approved', 'rejected', 'delivered') and f.word <> t.word
    and pg_temp.may_go(true, f.word, t.word)$$, 'a box never touches what is not scheduled, nor what was delivered');
select is_empty(
  $$select f.word as f, t.word as t from words f, words t where f.word in ('sent', 'undelivered', 'failed', 'expired', 'suppressed')
    and t.word not in ('sent', 'undelivered', 'delivered') and f.word <> t.word and pg_temp.may_go(true, f.word, t.word)$$,
  'evidence corrects a final state upwards only');
select throws_ok($$insert into scheduled_messages (phone_number, message_content, status) values ('+15550100001', 'x', 'queued')$$, '23514', null,
  'nobody inserts into the middle');
select throws_ok($$insert into scheduled_messages (phone_number, message_content, status) values ('+15550100001', 'x', 'SCH')$$, '23514', null,
  'the vocabulary is one');
select throws_ok($$insert into scheduled_messages (phone_number, message_content, scheduled_send_time) values ('+15550100001', 'x', 'infinity')$$, '23514', null,
  'a time is a time');
select throws_like(format($$insert into scheduled_messages (phone_number, message_content, %I) values ('+15550100001', 'x', %L)$$, c, t),
  format('%%"%s_is_in_years_2000_to_9998"', c), format('%s at %s is no time to a box', c, t))
from unnest(array['scheduled_send_time', 'expires_at']) c, unnest(array['9999-12-31 23:59:59-05', '9999-01-01 00:00:00+00', '0001-01-01 00:00:00+00 BC', '1999-12-31 23:59:59+00']) t;
select lives_ok($$insert into scheduled_messages (phone_number, message_content, scheduled_send_time, expires_at)
  values ('+15550100001', 'x', '2000-01-01 00:00:00+00', '9998-12-31 23:59:59+00')$$, 'from 2000 to 9998');
select lives_ok($$insert into scheduled_messages (id, phone_number, message_content, scheduled_send_time, status)
  values (910001, '+15550100001', 'one', now(), 'scheduled')$$, 'what a producer inserts');
select row_eq($$select pool, class, priority, revision, claim_epoch, delivery_status, offline_ok from scheduled_messages where id = 910001$$,
  row('main'::text, 'marketing'::text, 50.00::numeric(5, 2), 1, 0::bigint, 'none'::text, false), 'defaults fill the rest');
select lives_ok($$insert into scheduled_messages (phone_number, message_content, dedup_key) values ('+15550100001', 'x', 'k1')$$, 'a key');
select throws_ok($$insert into scheduled_messages (phone_number, message_content, dedup_key) values ('+15550100001', 'x', 'k1')$$, '23505', null,
  'a replayed insert is caught by its key');

-- Edits before and after a claim.
update scheduled_messages set message_content = 'two' where id = 910001;
select is((select revision from scheduled_messages where id = 910001), 2, 'an edit is a new revision');
select is((select count(*) from gateway_commands where job_id = 910001), 0::bigint, 'nobody is told while nobody holds it');
update scheduled_messages set priority = 90 where id = 910001;
select is((select revision from scheduled_messages where id = 910001), 2, 'the priority is no edit');
insert into gateways (id) values ('states-box'), ('states-box-2');
create function pg_temp.claim(job bigint) returns void language plpgsql as $$
begin
  perform set_config('conductor.actor', 'states-box', true);
  update scheduled_messages set status = 'queued' where id = job and status = 'scheduled';
  update scheduled_messages set status = 'claimed', claimed_by = 'states-box', claim_epoch = claim_epoch + 1, lease_expires_at = now() + interval '1 hour' where id = job;
  perform set_config('conductor.actor', '', true);
end $$;
select pg_temp.claim(910001);
update scheduled_messages set message_content = 'three' where id = 910001;
select results_eq($$select gateway_id, kind, claim_epoch, payload from gateway_commands where job_id = 910001$$,
  $$values ('states-box'::text, 'edit'::text, 1::bigint, '{"revision": 3}'::jsonb)$$, 'an edit after the claim reaches the box');
update scheduled_messages set cancel_requested_at = now() where id = 910001;
select results_eq($$select status, reason from scheduled_messages where id = 910001$$, $$values ('cancelled'::text, 'cancelled'::text)$$,
  'a cancel before "go" is done at once');
select is((select count(*) from gateway_commands where job_id = 910001 and kind = 'cancel'), 1::bigint, 'and the box is told');
update scheduled_messages set status = 'scheduled' where id = 910001;
select row_eq($$select claimed_by, lease_expires_at, cancel_requested_at, reason, claim_epoch from scheduled_messages where id = 910001$$,
  row(null::text, null::timestamptz, null::timestamptz, null::text, 1::bigint), 'another round starts clean, and keeps the epoch');
select pg_temp.claim(910001);
select set_config('conductor.actor', 'states-box', true);
update scheduled_messages set status = 'sending' where id = 910001;
select set_config('conductor.actor', '', true);
update scheduled_messages set cancel_requested_at = now() where id = 910001;
select is((select status from scheduled_messages where id = 910001), 'sending', 'too late: the box decides');
select is((select count(*) from gateway_commands where job_id = 910001 and kind = 'cancel'), 2::bigint, 'but it is asked');

-- A row that its box may send without asking is scheduled again when the box has said that it does not, or its lease is over.
insert into scheduled_messages (id, phone_number, message_content, status, scheduled_send_time)
  select 910010 + g, '+15550100001', 'x', 'scheduled', now() from generate_series(1, 5) g;
select pg_temp.claim(910010 + g) from generate_series(1, 5) g;
select set_config('conductor.actor', 'states-box', true);
update scheduled_messages set pinned = true where id between 910011 and 910014;
select set_config('conductor.actor', '', true);
select throws_like('update scheduled_messages set status = ''scheduled'' where id = 910011', 'gateway "states-box" may still send this row, until %', 'not from under the box');
update scheduled_messages set status = 'cancelled' where id between 910011 and 910015;
select throws_ok(format('update scheduled_messages set status = ''scheduled'' where id = %s', id), '23514', null, 'nor once it is cancelled')
from generate_series(910011, 910014) id;
select lives_ok('update scheduled_messages set status = ''scheduled'' where id = 910015', 'a row that needs a go is free at once');
update gateway_commands set acked_at = now() where job_id = 910011 and kind = 'cancel';
select lives_ok('update scheduled_messages set status = ''scheduled'' where id = 910011', 'it is told');
insert into message_events (event_id, gateway_id, job_id, claim_epoch, kind, at, verdict) values
  (gen_random_uuid(), 'states-box', 910012, 1, 'cancelled', now(), 'applied'), (gen_random_uuid(), 'states-box-2', 910013, 1, 'cancelled', now(), 'stale_epoch');
select lives_ok('update scheduled_messages set status = ''scheduled'' where id = 910012', 'it said so');
select throws_ok('update scheduled_messages set status = ''scheduled'' where id = 910013', '23514', null, 'another box has no say');
update scheduled_messages set lease_expires_at = now() - interval '1 second' where id = 910014;
select lives_ok('update scheduled_messages set status = ''scheduled'' where id = 910014', 'its lease is over');

-- Opt-outs reach every box; those that a box reported, every other box.
insert into opt_outs (phone_number, reason) values ('+15550100009', 'asked by phone');
select set_eq($$select gateway_id, payload ->> 'phone_number' from gateway_commands where kind = 'opt_out' and gateway_id like 'states-%'$$,
  $$values ('states-box', '+15550100009'), ('states-box-2', '+15550100009')$$, 'an opt-out by staff reaches every box');
select set_config('conductor.actor', 'states-box', true);
update opt_outs set active = false where phone_number = '+15550100009';
select set_config('conductor.actor', '', true);
select set_eq($$select gateway_id from gateway_commands where kind = 'opt_out' and payload ->> 'active' = 'false' and gateway_id like 'states-%'$$,
  $$values ('states-box-2')$$, 'one reported by a box reaches the others');

-- Consents are evidence.
insert into consents (phone_number, source, text_shown) values ('+15550100001', 'form', 'I agree');
select throws_ok($$update consents set text_shown = 'something else'$$, '23514', null, 'a consent is not rewritten');
select throws_ok($$delete from consents$$, '23514', null, 'nor deleted');
select lives_ok($$update consents set revoked_at = now() where phone_number = '+15550100001'$$, 'it is revoked');
select throws_ok($$update consents set revoked_at = null where phone_number = '+15550100001'$$, '23514', null, 'once and for all');

-- messages
insert into messages (id, phone_number, content, status, direction) values (910001, '+15550100001', 'x', 'unread', 'inbound'),
  (910002, '+15550100001', 'x', 'sent', 'outbound');
select lives_ok($$update messages set status = 'read' where id = 910001$$, 'people read');
select throws_ok($$update messages set status = 'delivered' where id = 910002$$, '23514', null, 'people deliver nothing');
select throws_ok($$insert into messages (phone_number, content, status, direction) values ('+15550100001', 'x', 'unread', 'outbound')$$, '23514', null,
  'status and direction agree');
select ok((select updated_at > created_at from messages where id = 910001), 'updated_at follows');

select * from finish();
rollback;
