-- An invented shop, the same at every run: numbers +1 555 01xx xxx, addresses at example.com. `set conductor.seed_scale = '1'` before it makes
-- the full volume (10,047 customers, 186,394 sales, 114,136 lines, 39,555 products; 20,000 messages of campaigns, 3,000 answers); without it a
-- hundredth. Dates end today.
do $$
declare
  scale numeric := coalesce(nullif(current_setting('conductor.seed_scale', true), ''), '0.01')::numeric;
  customers integer := ceil(10047 * scale); sales integer := ceil(186394 * scale); lines integer := ceil(114136 * scale);
  products integer := ceil(39555 * scale); with_lines integer := ceil(36463 * scale);
begin
  if exists (select 1 from public.customers where member_id like 'seed-%') then
    raise notice 'the seed is there already';
    return;
  end if;
  -- r(i, n): a number in [0, 1) that i and n decide
  create function pg_temp.r(i bigint, n bigint) returns double precision language sql immutable as
    'select (hashint8extended(i, n) & 9007199254740991)::double precision / 9007199254740992';

  insert into public.products (sku, product_id, name, brand, category, vendor, strain, thc_content, cbd_content, leafly_rating, retail_price, is_active)
  select 'seed-' || i, 'P' || i, k.word || ' ' || i, 'Brand ' || (1 + floor(120 * power(pg_temp.r(i, 2), 2)))::int, k.word,
         'Vendor ' || (1 + floor(40 * pg_temp.r(i, 3)))::int, case when k.word = 'Flower' then 'Strain ' || (1 + floor(60 * pg_temp.r(i, 4)))::int end,
         case when k.word in ('Edibles', 'Tinctures') then 100 else round((10 + 25 * pg_temp.r(i, 5))::numeric, 2) end,
         round((3 * pg_temp.r(i, 6))::numeric, 2), case when pg_temp.r(i, 7) < 0.6 then round((3 + 2 * pg_temp.r(i, 8))::numeric, 2) end,
         round((5 + 75 * power(pg_temp.r(i, 9), 2))::numeric, 2), pg_temp.r(i, 10) < 0.7
  from generate_series(1, products) i,
    lateral (select (array['Flower', 'Vape', 'Edibles', 'Pre-Roll', 'Concentrate', 'Tinctures', 'Gear'])[1 + floor(7 * pg_temp.r(i, 1))::int] as word) k;

  insert into public.customers (member_id, name, phone, email, city, state, zip_code, loyalty_points, marketing_source, date_joined, text_opt_in)
  select 'seed-' || i, 'Customer ' || i, case when pg_temp.r(i, 11) < 0.6 then '+1555' || lpad((1000000 + i)::text, 7, '0') end,
         case when pg_temp.r(i, 12) < 0.05 then 'customer' || i || '@example.com' end, 'City ' || (1 + floor(30 * pg_temp.r(i, 13)))::int,
         (array['CA', 'CA', 'CA', 'NV', 'OR', 'AZ'])[1 + floor(6 * pg_temp.r(i, 14))::int], lpad((90000 + floor(200 * pg_temp.r(i, 15)))::text, 5, '0'),
         floor(500 * power(pg_temp.r(i, 16), 3)), (array['walk-in', 'friend', 'web', 'event', null])[1 + floor(5 * pg_temp.r(i, 17))::int],
         current_date - floor(600 * pg_temp.r(i, 18))::int, pg_temp.r(i, 19) < 0.5
  from generate_series(1, customers) i;

  insert into public.transactions (transaction_id, customer_id, date, total_amount, total_tax, discounts, shop_location, staff_name, payment_type, status)
  select 'seed-' || i, case when pg_temp.r(i, 20) < 0.95 then 'seed-' || (1 + floor(customers * power(pg_temp.r(i, 21), 2)))::int end,
         now() - make_interval(secs => floor(300 * 86400 * pg_temp.r(i, 22)) + 60), x.amount, round(x.amount * 0.09, 2), 0,
         'Shop ' || (1 + floor(3 * pg_temp.r(i, 24)))::int, 'Staff ' || (1 + floor(50 * pg_temp.r(i, 25)))::int,
         (array['Cash', 'Debit', 'Debit', 'Gift'])[1 + floor(4 * pg_temp.r(i, 26))::int],
         case when pg_temp.r(i, 27) < 0.97 then 'Completed' when pg_temp.r(i, 27) < 0.99 then 'Refund' else 'Queued' end
  from generate_series(1, sales) i, lateral (select round((8 + 140 * power(pg_temp.r(i, 23), 2))::numeric, 2) as amount) x;

  insert into public.transaction_items (line_id, transaction_id, product_sku, product_name, brand, category, strain, quantity, unit_price, total_price,
                                        thc_content, cbd_content)
  select 'seed-' || i, 'seed-' || (1 + floor(with_lines * pg_temp.r(i, 30)))::int, p.sku, p.name, p.brand, p.category, p.strain, x.quantity, p.retail_price,
         p.retail_price * x.quantity, p.thc_content, p.cbd_content
  from generate_series(1, lines) i
  cross join lateral (select 1 + floor(products * power(pg_temp.r(i, 31), 3))::int as n, 1 + floor(2 * pg_temp.r(i, 32))::int as quantity) x
  join public.products p on p.sku = 'seed-' || x.n;

  insert into public.budtenders (first_name, phone, dispensary_name, points)
  select 'Budtender ' || i, '+15550' || lpad((200000 + i)::text, 6, '0'), 'Dispensary ' || (1 + floor(112 * pg_temp.r(i, 40)))::int, floor(100 * pg_temp.r(i, 41))::int
  from generate_series(1, ceil(524 * scale)::int) i;

  insert into public.customer_intelligence (customer_id, customer_email, browser_fingerprint, ip_hash, total_orders, avg_order_value, last_order_date,
      purchase_cycle_days, next_prime_window_start, next_prime_window_end, profile_score, last_recalculated)
  select i, 'web' || i || '@example.com', 'print-' || i, 'address-' || (i / 2), x.orders, round((20 + 80 * pg_temp.r(i, 51))::numeric, 2), x.last, 14,
         x.last + interval '11 days', x.last + interval '17 days', round((100 * pg_temp.r(i, 52))::numeric, 2), now()
  from generate_series(1, ceil(5000 * scale)::int) i,
    lateral (select floor(12 * pg_temp.r(i, 50))::int as orders, now() - make_interval(days => floor(60 * pg_temp.r(i, 53))::int) as last) x;
  insert into public.device_tracking (customer_email, customer_id, ip_hash, browser_fingerprint, last_seen)
  select customer_email, customer_id, ip_hash, browser_fingerprint, last_order_date from public.customer_intelligence where customer_email like 'web%@example.com';
  insert into public.bundle_offers (customer_email, bundle_products, total_quantity, base_price, discount_amount, final_price, status, offered_at, viewed_at)
  select customer_email, '[]', 4, 60, x.off, 60 - x.off, x.status, now() - interval '3 days', case when x.status <> 'pending' then now() end
  from public.customer_intelligence,
    lateral (select (array[6, 7.2, 9, 10.8])[1 + floor(4 * pg_temp.r(customer_id, 54))::int] as off,
                    (array['pending', 'viewed', 'rejected', 'purchased'])[1 + floor(4 * pg_temp.r(customer_id, 55))::int] as status) x
  where customer_email like 'web%@example.com';
  insert into public.behavioral_events (customer_email, event_type, browser_fingerprint, created_at)
  select customer_email, (array['bundle_viewed', 'bundle_accepted', 'order_completed', 'checkout_email_entered'])[1 + floor(4 * pg_temp.r(customer_id, 56))::int],
         browser_fingerprint, now() - make_interval(hours => floor(700 * pg_temp.r(customer_id, 57))::int)
  from public.customer_intelligence where customer_email like 'web%@example.com';
  insert into public.campaigns (campaign_name, status) select 'Seed campaign ' || i, 'active' from generate_series(1, 8) i;
  insert into public.campaign_messages (customer_id, phone_number, message_content, original_message, status, campaign_name, campaign_batch_id, strategy_type, customer_segment,
      confidence, generation_cost, scheduled_for, exported_at, exported_to, reviewed_at)
  select c.member_id, c.phone, 'Seed text ' || i, case when pg_temp.r(i, 60) < 0.2 then 'Before' end, 'exported', 'Seed campaign ' || (1 + i % 8), 'Batch ' || (1 + i % 40),
         (array['welcome', 'win_back', 'product_feedback', 'general'])[1 + floor(4 * pg_temp.r(i, 61))::int], c.vip_status, 0.9, 0.00025, x.at, x.at, 'scheduled_messages', x.at
  from generate_series(1, ceil(20000 * scale)::int) i
  join public.customers c on c.member_id = 'seed-' || (1 + floor(customers * pg_temp.r(i, 62)))::int and c.phone <> '',
    lateral (select now() - make_interval(secs => floor(120 * 86400 * pg_temp.r(i, 63))) as at) x;
  perform set_config('conductor.actor', 'seed', true);
  insert into public.scheduled_messages (customer_id, phone_number, message_content, status, delivery_status, campaign_name, campaign_batch_id, strategy_type,
      customer_segment, confidence_score, generation_cost, scheduled_send_time, actual_send_time, reviewed_at, human_override, campaign_message_id, campaign_round)
  select m.customer_id, m.phone_number, m.message_content, x.status, case x.status when 'delivered' then 'delivered' when 'sent' then 'pending' else 'none' end,
         m.campaign_name, m.campaign_batch_id, m.strategy_type, m.customer_segment, m.confidence, m.generation_cost, m.scheduled_for,
         case when x.status in ('sent', 'delivered') then m.scheduled_for end, m.reviewed_at, m.original_message is not null, m.id, 0
  from public.campaign_messages m,
    lateral (select (array['delivered', 'delivered', 'delivered', 'delivered', 'sent', 'failed'])[1 + floor(6 * pg_temp.r(m.id, 64))::int] as status) x
  where m.campaign_name like 'Seed campaign %';
  insert into public.messages (phone_number, content, message_hash, status, direction, delivery_status, "timestamp", sent_at, customer_id, campaign_name,
      scheduled_message_id, claim_epoch, cost, modem_index, reason)
  select j.phone_number, j.message_content, left(md5(j.phone_number || j.message_content), 16), j.status, 'outbound', j.delivery_status, j.scheduled_send_time,
         j.actual_send_time, j.customer_id, j.campaign_name, j.id, 0, 0.01, (j.id % 4)::integer, case when j.status = 'failed' then 'cms-' || (30 + j.id % 9) end
  from public.scheduled_messages j where j.campaign_name like 'Seed campaign %';
  insert into public.messages (phone_number, content, status, direction, "timestamp", customer_id)
  select j.phone_number, 'Answer', 'unread', 'inbound', j.actual_send_time + make_interval(hours => 1 + floor(200 * pg_temp.r(j.id, 65))::int), j.customer_id
  from public.scheduled_messages j where j.campaign_name like 'Seed campaign %' and j.actual_send_time is not null and pg_temp.r(j.id, 66) < 0.2;
  perform set_config('conductor.actor', '', true);
  insert into public.leads (phone_number, lead_status, conversation_stage, conversion_probability)
  select '+15550' || lpad((300000 + i)::text, 6, '0'), 'new', (array['discovery', 'pain_points', 'solution', 'demo'])[1 + floor(4 * pg_temp.r(i, 67))::int], 0.3
  from generate_series(1, ceil(400 * scale)::int) i;
  perform public.recalculate_v1('{"everything": true}');
  drop function pg_temp.r(bigint, bigint);
end
$$;
