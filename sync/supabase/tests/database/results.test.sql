-- gw_report_v1 applies a call's items by sets: what it answers and leaves behind must be what the items say one by one. Calls made at random,
-- with every kind, both ways on the same rows; a difference shows the calls.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, email) values ('60000000-0000-4000-8000-000000000001', 'results@example.com');
insert into gateways (id, auth_user_id, pool, instance) values ('t1', '60000000-0000-4000-8000-000000000001', 't', 'i'), ('t2', null, 't', null);
insert into campaigns (campaign_name) values ('results');
insert into campaign_messages (id, phone_number, message_content, status, campaign_name, round) values (960001, '+15550100401', 'a[BUBBLE]b', 'suggested', 'results', 1);
select set_config('session_replication_role', 'replica', true);
update campaign_messages set status = 'exported' where id = 960001;
select set_config('session_replication_role', 'origin', true);

create function pg_temp.one_of(variadic words text[]) returns text language plpgsql as $$
begin return words[1 + floor(random() * cardinality(words))::integer]; end $$;
create function pg_temp.id(n integer) returns text language plpgsql as $$
begin return '60000000-0000-4000-8000-' || lpad(n::text, 12, '0'); end $$;
create function pg_temp.maybe(name text, value anyelement, probability float) returns jsonb language plpgsql as $$
begin return case when random() < probability then jsonb_build_object(name, value) else '{}' end; end $$;

-- Rows as a box may find them: its own, another's, nobody's, of this claim and of one before; some with a message already.
create function pg_temp.lay_out() returns void language plpgsql as $$
declare s text;
begin
  perform set_config('session_replication_role', 'replica', true);
  for n in 1..9 loop
    s := pg_temp.one_of('sending', 'sending', 'claimed', 'queued', 'sent', 'unknown', 'failed', 'cancelled', 'expired', 'suppressed', 'undelivered', 'delivered', 'scheduled', 'approved');
    insert into scheduled_messages (id, pool, phone_number, message_content, status, claimed_by, claim_epoch, reason, pinned, claimed_instance, begun_instance,
        campaign_message_id, campaign_round, bubble_no, bubble_total, campaign_name, delivery_status)
      values (960000 + n, 't', '+1555010040' || n, 'text ' || n, s, case when random() < 0.8 then 't1' when random() < 0.5 then 't2' end, 1 + floor(random() * 1.3),
        case when s = 'unknown' then pg_temp.one_of('lease-over', 'timeout') end, random() < 0.5, pg_temp.one_of('i', 'j', null), pg_temp.one_of('i', null),
        case when n <= 2 then 960001 end, case when n <= 2 then 1 end, case when n = 2 then 2 else 1 end, case when n <= 2 then 2 else 1 end, case when n <= 2 then 'results' end,
        pg_temp.one_of('none', 'pending'));
    if random() < 0.3 then
      insert into messages (phone_number, content, status, direction, gateway_id, local_id, scheduled_message_id, claim_epoch, "timestamp")
        values ('+1555010040' || n, 'text ' || n, pg_temp.one_of('sending', 'sent', 'queued', 'unknown'), 'outbound', 't1', case when random() < 0.7 then pg_temp.id(100 + n)::uuid end,
          960000 + n, 1, now() - interval '1 hour');
    end if;
  end loop;
  perform set_config('session_replication_role', 'origin', true);
end
$$;
create function pg_temp.item(bad float) returns jsonb language plpgsql as $$
declare
  n integer := 1 + floor(random() * 10);         -- the tenth row does not exist
  own boolean := random() < 0.2;
  kind text := pg_temp.one_of('attempt', 'part', 'sent', 'sent', 'sent', 'delivered', 'delivered', 'undelivered', 'failed', 'expired', 'suppressed', 'unknown', 'cancelled', 'released');
begin
  if random() < 0.05 then kind := pg_temp.one_of('heartbeat', 'opt_out', 'opt_in'); end if;
  if random() < bad then kind := pg_temp.one_of('nonsense', null); end if;
  return jsonb_build_object('kind', kind, 'at', now() - floor(random() * 600) * interval '1 second')
    || pg_temp.maybe('event_id', pg_temp.id(1000 + floor(random() * 400)::integer), 1 - bad)
    || case when own then jsonb_build_object('local_id', pg_temp.id(case when random() < 0.2 then 103 else 200 + floor(random() * 4)::integer end), 'phone_number', '+15550100450', 'content', 'own', 'class', pg_temp.one_of('reply', 'transactional'))
            else jsonb_build_object('job_id', 960000 + n, 'epoch', 1 + floor(random() * 1.2)) || pg_temp.maybe('local_id', pg_temp.id(100 + case when random() < 0.1 then 1 + floor(random() * 9)::integer else n end), 0.5) end
    || pg_temp.maybe('delivery_status', pg_temp.one_of('pending', 'none', 'unknown'), 0.5) || pg_temp.maybe('report', random() < 0.5, 0.3)
    || pg_temp.maybe('sent_at', now() - interval '11 minutes', 0.3) || pg_temp.maybe('parts', 1 + floor(random() * 3), 0.5) || pg_temp.maybe('part', 1 + floor(random() * 3), 0.3)
    || pg_temp.maybe('cost', round(random()::numeric, 2), 0.5) || pg_temp.maybe('iccid', pg_temp.one_of('8949', '8950'), 0.5) || pg_temp.maybe('modem_index', floor(random() * 4), 0.5)
    || pg_temp.maybe('retry_count', floor(random() * 4), 0.3) || pg_temp.maybe('message_hash', pg_temp.one_of('a', 'b'), 0.3) || pg_temp.maybe('instance', pg_temp.one_of('i', 'j'), 0.5)
    || pg_temp.maybe('reason', pg_temp.one_of('timeout', 'cms-38'), 0.5) || pg_temp.maybe('reason_text', 'so it is'::text, 0.2) || pg_temp.maybe('phone_number', '+15550100451'::text, 0.1)
    || pg_temp.maybe(pg_temp.one_of('at', 'sent_at', 'part', 'epoch', 'local_id', 'cost', 'report', 'event_id'), 'nonsense'::text, bad);
end
$$;
create function pg_temp.calls() returns jsonb language plpgsql as $$
declare bad float := case when random() < 0.3 then 0.02 else 0 end; made jsonb := '[]';
begin
  for c in 1..1 + floor(random() * 3)::integer loop
    made := made || jsonb_build_array((select jsonb_agg(pg_temp.item(bad)) from generate_series(1, 1 + floor(random() * 14)::integer)));
  end loop;
  return made;
end
$$;
-- One item after the other, in savepoints.
create function pg_temp.singly(items jsonb) returns jsonb language plpgsql as $$
declare me gateways; item jsonb; verdict text; why text; verdicts jsonb := '[]';
begin
  select * into me from gateways where id = 't1';
  perform private.act_as(me.id);
  for item in select jsonb_array_elements(items) loop
    why := null;
    begin
      verdict := private.report_item(me, item);
    exception when others then
      verdict := 'rejected'; why := sqlstate || ' ' || sqlerrm;
    end;
    verdicts := verdicts || jsonb_build_object('id', item -> 'event_id', 'verdict', verdict, 'reason', why);
  end loop;
  return verdicts;
end
$$;
-- What the calls answer, and what is in the tables then. Undone. The cost of a campaign message is as of the last change of one of its rows;
-- it is the same where the next change looks.
create function pg_temp.told(calls jsonb, by_sets boolean) returns jsonb language plpgsql as $$
declare call jsonb; answers jsonb := '[]'; tables jsonb;
begin
  begin
    for call in select jsonb_array_elements(calls) loop
      answers := answers || jsonb_build_array(case when by_sets then gw_report_v1(jsonb_build_object('items', call)) -> 'verdicts' else pg_temp.singly(call) end);
    end loop;
    select jsonb_build_object('rows', (select jsonb_agg(to_jsonb(s) - array['updated_at', 'begun_at', 'message_id'] || jsonb_build_object('begun', s.begun_at is not null,
          'message', (select to_jsonb(m) - array['id', 'updated_at'] from messages m where m.id = s.message_id)) order by s.id) from scheduled_messages s where s.id between 960000 and 970000),
        'messages', (select jsonb_agg(to_jsonb(m) - array['id', 'updated_at'] order by m.scheduled_message_id, m.claim_epoch, m.local_id) from messages m where m.gateway_id = 't1'),
        'events', (select jsonb_agg(to_jsonb(e) order by e.event_id) from message_events e where e.gateway_id = 't1'),
        'campaign', (select to_jsonb(c) - array['updated_at', 'conductor_message_id', 'cost'] from campaign_messages c where c.id = 960001),
        'opt_outs', (select jsonb_agg(to_jsonb(o) - 'updated_at' order by o.phone_number) from opt_outs o where o.gateway_id = 't1'),
        'commands', (select count(*) from gateway_commands g where g.gateway_id in ('t1', 't2'))) into tables;
    raise sqlstate 'ZZ000';
  exception when sqlstate 'ZZ000' then null;
  end;
  return jsonb_build_object('answers', answers, 'tables', tables);
end
$$;
create temp table differences (calls jsonb, by_sets jsonb, singly jsonb) on commit drop;
create temp table verdicts (verdict text, n bigint) on commit drop;
create function pg_temp.compare(seed float, times integer) returns void language plpgsql as $$
declare calls jsonb; by_sets jsonb; singly jsonb;
begin
  perform setseed(seed);
  perform set_config('request.jwt.claims', '{"role": "authenticated", "sub": "60000000-0000-4000-8000-000000000001"}', true);
  for round in 1..times loop
    delete from scheduled_messages where id between 960000 and 970000;
    delete from messages where gateway_id = 't1';
    perform pg_temp.lay_out();
    calls := pg_temp.calls();
    by_sets := pg_temp.told(calls, true);
    singly := pg_temp.told(calls, false);
    insert into verdicts select v ->> 'verdict', count(*) from jsonb_array_elements(by_sets -> 'answers') a, jsonb_array_elements(a) v group by 1;
    if by_sets <> singly then insert into differences values (calls, by_sets, singly); end if;
  end loop;
  perform set_config('conductor.actor', '', true);
end
$$;
select pg_temp.compare(0.5, 50);
select is_empty('select * from differences', 'sets say what the items say one by one');
select set_eq('select verdict from verdicts', array['applied', 'duplicate', 'stale_epoch', 'unknown_job', 'rejected'], 'with every verdict');

select * from finish();
rollback;
