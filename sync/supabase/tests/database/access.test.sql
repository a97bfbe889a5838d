-- Who may do what: a table of role x table x verb, tried for real, and rules that hold for every table and function.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

insert into auth.users (id, email) select u.id::uuid, u.who || '@access.example.com' from (values
  ('10000000-0000-4000-8000-000000000001', 'nobody'), ('10000000-0000-4000-8000-000000000002', 'viewer'),
  ('10000000-0000-4000-8000-000000000003', 'reviewer'), ('10000000-0000-4000-8000-000000000004', 'admin'),
  ('10000000-0000-4000-8000-000000000005', 'agent'), ('10000000-0000-4000-8000-000000000006', 'web'),
  ('10000000-0000-4000-8000-000000000007', 'box')) u (id, who);
insert into staff_roles (user_id, role) select id, split_part(email, '@', 1) from auth.users
  where email like '%@access.example.com' and split_part(email, '@', 1) in ('viewer', 'reviewer', 'admin', 'agent', 'web');
insert into gateways (id, auth_user_id) values ('access-box', '10000000-0000-4000-8000-000000000007');
insert into gateway_instances (gateway_id, instance) values ('access-box', 'i');
insert into customers (member_id, phone) values ('access-1', '+15550100001');
insert into scheduled_messages (id, phone_number, message_content, status) values (900001, '+15550100001', 'hi', 'draft');
insert into messages (id, phone_number, content, status, direction) values (900001, '+15550100001', 'hi', 'unread', 'inbound');
insert into gateway_commands (gateway_id, kind) values ('access-box', 'sync');
insert into message_events (event_id, gateway_id, kind, at, verdict) values (gen_random_uuid(), 'access-box', 'opt_in', now(), 'applied');
insert into opt_outs (phone_number) values ('+15550100002');
insert into consents (phone_number, source, text_shown) values ('+15550100001', 'form', 'I agree');
-- The shop's own tables: one row each.
insert into products (sku) values ('access-1');
insert into transactions (transaction_id, date) values ('access-1', now());
insert into transaction_items (line_id, transaction_id) values ('access-1', 'access-1');
insert into customer_visit_patterns (customer_id) values ('access-1');
insert into customer_product_affinity (customer_id, product_sku) values ('access-1', 'access-1');
insert into staff (staff_name) values ('access-1');
insert into budtenders (first_name) values ('access-1');
insert into product_pairs values ('access-1', 'access-2', 1);
insert into customer_tastes (customer_id) values ('access-1');
insert into campaigns (campaign_name) values ('access-1');
insert into campaign_messages (phone_number, message_content) values ('+15550100001', 'hi');
insert into message_feedback (action) values ('approved');
insert into leads (phone_number) values ('+15550100001');
insert into customer_intelligence (customer_email) values ('access-1@example.com');
insert into device_tracking (customer_email) values ('access-1@example.com');
insert into bundle_offers (customer_email, bundle_products, total_quantity, base_price, discount_amount, final_price)
  values ('access-1@example.com', '[]', 1, 10, 1, 9);
insert into behavioral_events (event_type) values ('view');

-- 'yes' when the statement works on at least one row, 'no' when it is refused or finds none, else the error. Leaves no trace.
create function pg_temp.can(who text, statement text) returns text language plpgsql as $$
declare n bigint; answer text; claims jsonb;
begin
  claims := case who when 'anon' then '{"role": "anon"}'::jsonb
    else jsonb_build_object('role', 'authenticated', 'sub', (select id from auth.users where email = who || '@access.example.com')) end;
  begin
    perform set_config('request.jwt.claims', claims::text, true);
    perform set_config('role', claims ->> 'role', true);
    execute statement;
    get diagnostics n = row_count;
    raise sqlstate 'ZZ000' using message = case when n > 0 then 'yes' else 'no' end;
  exception
    when sqlstate 'ZZ000' then answer := sqlerrm;
    when insufficient_privilege then answer := 'no';
    when others then answer := sqlstate || ' ' || sqlerrm;
  end;
  return answer;
end $$;

create temp table statements (tab text primary key, ins text, upd text) on commit drop;
insert into statements values
  ('customers', $$insert into customers (member_id) values ('access-2')$$, $$update customers set name = 'x'$$),
  ('gateways', $$insert into gateways (id, pool) values ('access-2', 'other')$$, $$update gateways set enabled = false where id = 'access-box'$$),
  ('gateway_instances', $$insert into gateway_instances values ('access-box', 'j')$$, $$update gateway_instances set instance = 'k'$$),
  ('gw_meta', $$insert into gw_meta (singleton) values (false)$$, $$update gw_meta set protocol_max = 9$$),
  ('scheduled_messages', $$insert into scheduled_messages (phone_number, message_content, scheduled_send_time, status)
     values ('+15550100001', 'hi', now(), 'scheduled')$$, $$update scheduled_messages set message_content = 'x' where id = 900001$$),
  ('messages', $$insert into messages (phone_number, content, status, direction) values ('+15550100001', 'x', 'queued', 'outbound')$$,
     $$update messages set status = 'read' where id = 900001$$),
  ('gateway_commands', $$insert into gateway_commands (gateway_id, kind) values ('access-box', 'pause')$$, $$update gateway_commands set acked_at = now()$$),
  ('message_events', $$insert into message_events (event_id, gateway_id, kind, at, verdict)
     values (gen_random_uuid(), 'access-box', 'opt_in', now(), 'applied')$$, $$update message_events set detail = '{}'$$),
  ('opt_outs', $$insert into opt_outs (phone_number) values ('+15550100003')$$, $$update opt_outs set active = false$$),
  ('consents', $$insert into consents (phone_number, source, text_shown) values ('+15550100003', 'form', 'yes')$$, $$update consents set revoked_at = now()$$),
  ('staff_roles', $$insert into staff_roles values ('10000000-0000-4000-8000-000000000001', 'admin')$$, $$update staff_roles set role = 'admin'$$),
  ('shop_settings', $$insert into shop_settings (singleton) values (false)$$, $$update shop_settings set vip_visits = 17$$),
  ('products', $$insert into products (sku) values ('access-2')$$, $$update products set name = 'x'$$),
  ('transactions', $$insert into transactions (transaction_id, date) values ('access-2', now())$$, $$update transactions set total_amount = 1$$),
  ('transaction_items', $$insert into transaction_items (line_id, transaction_id) values ('access-2', 'access-1')$$, $$update transaction_items set quantity = 2$$),
  ('customer_visit_patterns', $$insert into customer_visit_patterns (customer_id) values ('access-1')$$, $$update customer_visit_patterns set total_visits = 1$$),
  ('customer_product_affinity', $$insert into customer_product_affinity (customer_id, product_sku) values ('access-1', 'access-2')$$,
     $$update customer_product_affinity set purchase_count = 1$$),
  ('staff', $$insert into staff (staff_name) values ('access-2')$$, $$update staff set total_sales = 1$$),
  ('budtenders', $$insert into budtenders (first_name) values ('access-2')$$, $$update budtenders set points = 1$$),
  ('customer_tastes', $$insert into customer_tastes (customer_id) values ('access-1')$$, $$update customer_tastes set top_brand = 'x'$$),
  ('product_pairs', $$insert into product_pairs values ('access-2', 'access-3', 1)$$, $$update product_pairs set baskets = 2$$),
  ('campaigns', $$insert into campaigns (campaign_name) values ('access-2')$$, $$update campaigns set description = 'x'$$),
  ('campaign_messages', $$insert into campaign_messages (phone_number, message_content) values ('+15550100001', 'x')$$,
     $$update campaign_messages set priority = 60$$),
  ('message_feedback', $$insert into message_feedback (action) values ('approved')$$, $$update message_feedback set training_weight = 2$$),
  ('leads', $$insert into leads (phone_number) values ('+15550100002')$$, $$update leads set last_message = 'x'$$),
  ('customer_intelligence', $$insert into customer_intelligence (customer_email) values ('access-2@example.com')$$,
     $$update customer_intelligence set total_orders = 1$$),
  ('device_tracking', $$insert into device_tracking (customer_email) values ('access-2@example.com')$$, $$update device_tracking set visit_count = 2$$),
  ('bundle_offers', $$insert into bundle_offers (customer_email, bundle_products, total_quantity, base_price, discount_amount, final_price)
     values ('access-2@example.com', '[]', 1, 10, 1, 9)$$, $$update bundle_offers set bonus_points = 1$$),
  ('insights', $$insert into insights (name, numbers, area, description) values ('access-2', '{}', 'x', 'x')$$, $$update insights set area = 'x'$$),
  ('behavioral_events', $$insert into behavioral_events (event_type) values ('view')$$, $$update behavioral_events set page_url = 'x'$$);

-- s = select, i = insert, u = update, d = delete; '-' = refused, or no row seen.
create temp table expected (who text, tab text, may text) on commit drop;
insert into expected
select who, tab, coalesce(may, '----') from
  (values ('anon'), ('nobody'), ('viewer'), ('reviewer'), ('admin'), ('agent'), ('web'), ('box')) w (who)
  cross join (select tab from statements) t
  left join (values
    ('viewer', 'customers', 's---'), ('reviewer', 'customers', 's---'), ('admin', 'customers', 'siu-'), ('agent', 'customers', 's---'),
    ('viewer', 'gateways', 's---'), ('reviewer', 'gateways', 's---'), ('admin', 'gateways', 'siud'),
    ('viewer', 'scheduled_messages', 's---'), ('reviewer', 'scheduled_messages', 'siu-'), ('admin', 'scheduled_messages', 'siu-'),
    ('agent', 'scheduled_messages', 'si--'),
    ('viewer', 'messages', 's---'), ('reviewer', 'messages', 's-u-'), ('admin', 'messages', 's-u-'), ('agent', 'messages', 's-u-'),
    ('admin', 'gateway_commands', 'si--'),
    ('viewer', 'message_events', 's---'), ('reviewer', 'message_events', 's---'), ('admin', 'message_events', 's---'),
    ('viewer', 'opt_outs', 's---'), ('reviewer', 'opt_outs', 'siu-'), ('admin', 'opt_outs', 'siu-'), ('agent', 'opt_outs', 'siu-'),
    ('viewer', 'consents', 's---'), ('reviewer', 'consents', 'siu-'), ('admin', 'consents', 'siu-'), ('agent', 'consents', 'si--'),
    ('web', 'consents', '-i--'),
    ('viewer', 'staff_roles', 's---'), ('reviewer', 'staff_roles', 's---'), ('admin', 'staff_roles', 'si-d'), ('agent', 'staff_roles', 's---'),
    ('web', 'staff_roles', 's---'),
    -- read by staff; what is calculated is written by nobody
    ('viewer', 'customer_visit_patterns', 's---'), ('reviewer', 'customer_visit_patterns', 's---'), ('admin', 'customer_visit_patterns', 's---'),
    ('agent', 'customer_visit_patterns', 's---'),
    ('viewer', 'customer_product_affinity', 's---'), ('reviewer', 'customer_product_affinity', 's---'),
    ('admin', 'customer_product_affinity', 's---'), ('agent', 'customer_product_affinity', 's---'),
    ('viewer', 'staff', 's---'), ('reviewer', 'staff', 's---'), ('admin', 'staff', 's---'), ('agent', 'staff', 's---'),
    ('viewer', 'product_pairs', 's---'), ('reviewer', 'product_pairs', 's---'), ('admin', 'product_pairs', 's---'), ('agent', 'product_pairs', 's---'),
    ('viewer', 'customer_tastes', 's---'), ('reviewer', 'customer_tastes', 's---'), ('admin', 'customer_tastes', 's---'), ('agent', 'customer_tastes', 's---'),
    ('viewer', 'leads', 's---'), ('reviewer', 'leads', 's---'), ('admin', 'leads', 's---'), ('agent', 'leads', 's---'),
    ('viewer', 'insights', 's---'), ('reviewer', 'insights', 's---'), ('admin', 'insights', 's---'), ('agent', 'insights', 's---'),
    ('reviewer', 'message_feedback', 's---'), ('admin', 'message_feedback', 's---'),
    -- imported by an administrator
    ('viewer', 'shop_settings', 's---'), ('reviewer', 'shop_settings', 's---'), ('admin', 'shop_settings', 's-u-'), ('agent', 'shop_settings', 's---'),
    ('viewer', 'products', 's---'), ('reviewer', 'products', 's---'), ('admin', 'products', 'siud'), ('agent', 'products', 's---'),
    ('viewer', 'transactions', 's---'), ('reviewer', 'transactions', 's---'), ('admin', 'transactions', 'siud'), ('agent', 'transactions', 's---'),
    ('viewer', 'transaction_items', 's---'), ('reviewer', 'transaction_items', 's---'), ('admin', 'transaction_items', 'siud'),
    ('agent', 'transaction_items', 's---'),
    ('viewer', 'budtenders', 's---'), ('reviewer', 'budtenders', 's---'), ('admin', 'budtenders', 'siud'), ('agent', 'budtenders', 's---'),
    -- planned by reviewers and agents; their states move through functions alone
    ('viewer', 'campaigns', 's---'), ('reviewer', 'campaigns', 'siu-'), ('admin', 'campaigns', 'siu-'), ('agent', 'campaigns', 'si--'),
    ('viewer', 'campaign_messages', 's---'), ('reviewer', 'campaign_messages', 'siu-'), ('admin', 'campaign_messages', 'siu-'),
    ('agent', 'campaign_messages', 'si--'),
    -- the web shop's own
    ('viewer', 'customer_intelligence', 's---'), ('reviewer', 'customer_intelligence', 's---'), ('admin', 'customer_intelligence', 'siu-'),
    ('web', 'customer_intelligence', 'siu-'),
    ('viewer', 'device_tracking', 's---'), ('reviewer', 'device_tracking', 's---'), ('admin', 'device_tracking', 'siud'),
    ('web', 'device_tracking', 'siu-'),
    ('viewer', 'bundle_offers', 's---'), ('reviewer', 'bundle_offers', 's---'), ('admin', 'bundle_offers', 'siu-'), ('web', 'bundle_offers', 'siu-'),
    ('viewer', 'behavioral_events', 's---'), ('reviewer', 'behavioral_events', 's---'), ('admin', 'behavioral_events', 'si-d'),
    ('web', 'behavioral_events', 'si--')) e (w, t, may) on e.w = who and e.t = tab;

select is_empty($$select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
  and c.relname not in (select tab from statements)$$, 'every table stands in the table of roles');
select results_eq(
  $$select e.who, e.tab,
      replace(replace(pg_temp.can(e.who, 'select 1 from public.' || e.tab), 'yes', 's'), 'no', '-') ||
      replace(replace(pg_temp.can(e.who, s.ins), 'yes', 'i'), 'no', '-') ||
      replace(replace(pg_temp.can(e.who, s.upd), 'yes', 'u'), 'no', '-') ||
      replace(replace(pg_temp.can(e.who, 'delete from public.' || e.tab), 'yes', 'd'), 'no', '-')
    from expected e join statements s using (tab) order by 1, 2$$,
  'select who, tab, may from expected order by 1, 2', 'each role may do on each table what the table says, and no more');

select is(pg_temp.can('web', $$insert into scheduled_messages (phone_number, message_content, status) values ('+15550100001', 'x', 'draft')$$), 'yes',
  'the web server drafts');
select is(pg_temp.can('agent', $$insert into scheduled_messages (phone_number, message_content, status, claim_epoch) values ('+15550100001', 'x', 'scheduled', 5)$$),
  'no', 'nobody writes the columns of the lease');
select is(pg_temp.can('admin', $$insert into gateway_commands (gateway_id, kind) values ('access-box', 'opt_out')$$), 'no',
  'commands that follow from data are not written by hand');

-- Functions: boxes alone get through, and nothing of "private" is callable but what policies need.
select is(pg_temp.can('anon', $$select public.gw_claim_v1('{}')$$), 'no', 'anon may not call');
select is(pg_temp.can(w, format('select public.%I(%L)', f, '{}')), 'PT403 this user is no enabled gateway', w || ' is refused by ' || f)
  from unnest(array['nobody', 'viewer', 'admin', 'agent', 'web']) w,
       unnest(array['gw_hello_v1', 'gw_claim_v1', 'gw_mine_v1', 'gw_begin_v1', 'gw_renew_v1', 'gw_report_v1', 'gw_commands_v1', 'gw_ack_v1',
                    'gw_inbound_v1']) f;
select is(pg_temp.can('box', $$select public.gw_hello_v1('{}')$$), 'yes', 'a box may call');
select is(pg_temp.can('box', $$select private.act_as('reaper')$$), 'no', 'a box may not act as another');
select is(pg_temp.can('admin', $$select 1 from private.transitions$$), 'no', 'the guard''s table is closed');
select set_eq(
  $$select p.proname::text from pg_proc p where p.pronamespace = 'private'::regnamespace and has_function_privilege('authenticated', p.oid, 'execute')$$,
  array['jwt', 'has_role', 'actor', 'touch', 'may_listen'], 'only what policies, triggers and views need may be executed in "private"');
select is_empty($$select p.oid::regprocedure from pg_proc p where p.pronamespace in ('private'::regnamespace, 'public'::regnamespace)
  and has_function_privilege('anon', p.oid, 'execute')$$, 'anon may execute nothing');
select is_empty($$select p.oid::regprocedure from pg_proc p where p.pronamespace in ('private'::regnamespace, 'public'::regnamespace)
  and not coalesce('search_path=""' = any (p.proconfig), false)$$, 'every function has an empty search_path');
select is_empty($$select c.relname from pg_class c where c.relnamespace in ('private'::regnamespace, 'public'::regnamespace) and c.relkind in ('r', 'p')
  and not c.relrowsecurity$$, 'every table has row-level security');
select is_empty($$select c.relname from pg_class c, unnest(array['select', 'insert', 'update', 'delete', 'truncate']) v
  where c.relnamespace in ('private'::regnamespace, 'public'::regnamespace) and c.relkind in ('r', 'p', 'v') and has_table_privilege('anon', c.oid, v)$$,
  'anon has no privilege on any table');
select is_empty($$select c.conrelid::regclass, c.conname from pg_constraint c where c.contype = 'f' and c.connamespace = 'public'::regnamespace
  and not exists (select 1 from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])$$, 'every foreign key has an index');

-- Views and the insights that are functions: staff read them, boxes and strangers see of them what an empty database would show.
insert into customer_visit_patterns (customer_id, predicted_next_visit) values ('access-1', current_date) on conflict (customer_id) do update set predicted_next_visit = current_date;
update customers set total_visits = 3, total_sales = 3, lifetime_value = 77, last_visited = current_date - 70, date_joined = current_date, state = 'CA', zip_code = '90001'
  where member_id = 'access-1';
create function pg_temp.rows_of(who text, query text) returns jsonb language plpgsql as $$
declare answer jsonb;
begin
  begin
    perform set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', (select id from auth.users where email = who || '@access.example.com'))::text, true);
    perform set_config('role', 'authenticated', true);
    execute 'select coalesce(jsonb_agg(to_jsonb(x)), ''[]'') from (' || query || ' limit 50) x' into answer;
    raise sqlstate 'ZZ000';
  exception when sqlstate 'ZZ000' then null; when others then answer := to_jsonb(sqlstate);
  end;
  return answer;
end $$;
create temp table views on commit drop as select relname::text as v from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v';
select is_empty($$
  select w, v, e from unnest(array['nobody', 'box']) w, views, jsonb_array_elements(pg_temp.rows_of(w, 'select * from public.' || v)) r, jsonb_each(r) e
  where e.value not in ('0', 'null') and e.key not in ('days', 'day', 'field')$$, 'no view tells a box or a stranger anything');
select is_empty($$select w, v from unnest(array['viewer', 'reviewer', 'admin', 'agent']) w, views where jsonb_typeof(pg_temp.rows_of(w, 'select * from public.' || v)) <> 'array'$$,
  'staff may read every view');
select ok((select count(*) from views where pg_temp.rows_of('viewer', 'select * from public.' || v) @? '$[*].* ? (@ == "access-1")') >= 4, 'and see what is there');
select is_empty($$
  select w, f from unnest(array['nobody', 'box']) w, unnest(array['customer_by_phone(''+15550100001'')', 'purchase_history(''+15550100001'')', 'product_recommendations(''access-1'')',
      'customer_by_device('''', '''')', 'profile_by_email(''access-1@example.com'')', 'active_bundle(''access-1@example.com'')', 'recent_events(''access-1@example.com'')',
      'devices_of_customer(''access-1@example.com'')', 'customers_on_device('''')']) f
  where pg_temp.rows_of(w, 'select * from public.' || f) <> '[]'$$, 'nor do the functions');
select is(jsonb_array_length(pg_temp.rows_of('viewer', 'select * from public.customer_by_phone(''555 010 0001'')')), 1, 'which staff may ask');
select is(pg_temp.can(w, format('select public.%I(%L)', f, '{}')), 'PT403 this needs one of the roles: ' || r, w || ' is refused by ' || f)
  from unnest(array['nobody', 'viewer', 'web', 'box']) w, (values ('campaign_review_v1', 'reviewer, admin'), ('campaign_plan_v1', 'reviewer, admin'),
    ('campaign_hand_off_v1', 'reviewer, admin, agent'), ('campaign_pause_v1', 'reviewer, admin'), ('campaign_resume_v1', 'reviewer, admin'),
    ('campaign_cancel_v1', 'reviewer, admin'), ('context_v1', 'agent, reviewer, admin'), ('inbox_claim_v1', 'agent, reviewer, admin'),
    ('reply_v1', 'agent, reviewer, admin'), ('lead_upsert_v1', 'agent, reviewer, admin')) x (f, r);
select is(pg_temp.can(w, format('select public.%I()', f)), 'no', w || ' is refused by ' || f)
  from unnest(array['nobody', 'viewer', 'reviewer', 'agent', 'web', 'box']) w, unnest(array['recalculate_v1', 'forget_inactive_devices_v1']) f;
select is_empty($$select c.relname from pg_class c, unnest(array['insert', 'update', 'delete']) v
  where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' and has_table_privilege('authenticated', c.oid, v)$$, 'a view is read, never written');
select is(pg_temp.can('reviewer', $$update campaigns set status = 'paused'$$), 'no', 'a campaign is paused by the function that sees to its rows');

-- The doorbell: a box hears its own channels and its pool's, and rings none.
create function pg_temp.hears(who text, topic text) returns boolean language plpgsql as $$
declare found boolean;
begin
  begin
    perform set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', (select id from auth.users where email = who || '@access.example.com'))::text, true);
    perform set_config('realtime.topic', topic, true);
    perform set_config('role', 'authenticated', true);
    select exists (select from realtime.messages m where m.topic = hears.topic) into found;
    raise sqlstate 'ZZ000';
  exception when sqlstate 'ZZ000' then return found;
  end;
end $$;
select realtime.send('{}', 'doorbell', t, true) from unnest(array['gw-box:access-box', 'gw-pool:main', 'gw-box:other', 'gw-pool:other']) t;
select results_eq($$select w, t from unnest(array['box', 'nobody', 'admin']) w, unnest(array['gw-box:access-box', 'gw-pool:main', 'gw-box:other', 'gw-pool:other']) t
  where pg_temp.hears(w, t)$$, $$values ('box', 'gw-box:access-box'), ('box', 'gw-pool:main')$$, 'who hears what');
select is(pg_temp.can(w, $$insert into realtime.messages (topic, extension, event) values ('gw-pool:main', 'broadcast', 'doorbell')$$), 'no', w || ' does not ring')
  from unnest(array['box', 'nobody', 'admin', 'anon']) w;
select is(pg_temp.can('box', 'select 1 from auth.users'), 'no', 'a box does not see the users');

select * from finish();
rollback;
