-- The insights on a shop small enough to reckon by hand. Days are the shop's (Los Angeles): a sale at 23:30 there is another day in UTC.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
select no_plan();

-- day(n, 'hh:mm'): n days ago in the shop, at that local time
create function pg_temp.day(n integer, clock time default '12:00') returns timestamptz language sql as
  $$ select ((shop_today() - n) + clock) at time zone 'America/Los_Angeles' $$;

insert into products (sku, name, brand, category, retail_price, is_active, leafly_rating) values
  ('F1', 'Flower One', 'Green', 'Flower', 40, true, 4.6), ('F2', 'Flower Two', 'Green', 'Flower', 30, true, null),
  ('E1', 'Gummies', 'Sweet', 'Edibles', 20, true, 3.5), ('X1', 'Gone', 'Old', 'Vape', 50, false, null);
insert into customers (member_id, name, phone, state, zip_code, date_joined, loyalty_points, marketing_source) values
  ('A', 'Ada', '+15550100001', 'ca', '90001', shop_today() - 200, 10, 'web'), ('B', 'Bob', '+15550100002', 'CA', '90001-1234', shop_today() - 100, 0, 'web'),
  ('C', 'Cat', '+15550100003', 'NV', '89001', shop_today() - 10, 5, null), ('D', 'Dan', null, null, null, null, 0, null),
  ('E', 'Eve', '+15550100001', 'CA', '90002', shop_today() - 400, 0, 'friend');
insert into transactions (transaction_id, customer_id, date, total_amount, total_tax, shop_location, staff_name, payment_type, status) values
  ('a1', 'A', pg_temp.day(40), 100, 9, 'North', 'Sam', 'Cash', 'Completed'), ('a2', 'A', pg_temp.day(30), 50, 5, 'North', 'Sam', 'Debit', 'Completed'),
  ('a3', 'A', pg_temp.day(20), 60, 5, 'North', 'Kim', 'Cash', 'Completed'), ('a4', 'A', pg_temp.day(0, '00:10'), 40, 4, 'North', 'Kim', 'Cash', 'Completed'),
  ('b1', 'B', pg_temp.day(70), 200, 18, 'South', 'Sam', 'Cash', 'Completed'), ('b2', 'B', pg_temp.day(69), 80, 7, 'South', 'Sam', 'Cash', 'Refund'),
  ('c1', 'C', pg_temp.day(1, '23:30'), 30, 3, 'South', 'Kim', null, 'Completed'), ('c2', 'C', pg_temp.day(1), 10, 1, 'South', 'Kim', 'Cash', 'Queued'),
  ('e1', 'E', pg_temp.day(95), 25, 2, 'North', 'Sam', 'Cash', 'Completed'), ('w1', null, pg_temp.day(0, '00:20'), 15, 1, 'North', null, 'Cash', 'Completed');
insert into transaction_items (transaction_id, product_sku, product_name, brand, category, strain, quantity, unit_price, total_price, thc_content) values
  ('a1', 'F1', 'Flower One', 'Green', 'Flower', 'Haze', 2, 40, 80, 22), ('a1', 'E1', 'Gummies', 'Sweet', 'Edibles', null, 1, 20, 20, 100),
  ('a2', 'F1', 'Flower 1', 'Green', 'Flower', 'Haze', 1, 40, 40, 22), ('a3', 'F1', 'Flower One', 'Green', 'Flower', 'Haze', 1, 40, 40, 22),
  ('a3', 'E1', 'Gummies', 'Sweet', 'Edibles', null, 1, 20, 20, 100), ('b1', 'F2', 'Flower Two', 'Green', 'Flower', 'Kush', 4, 30, 120, 31),
  ('b1', 'X1', 'Gone', 'Old', 'Vape', null, 1, 50, 50, 80), ('b2', 'F2', 'Flower Two', 'Green', 'Flower', 'Kush', 1, 80, 80, 31),
  ('c1', null, 'Lighter', null, null, null, 1, 3, 3, null), ('c1', 'E1', 'Gummies', 'Sweet', 'Edibles', null, 1, 20, 20, 100);
select lives_ok($$select recalculate_v1('{"everything": true}')$$, 'recalculation runs');

-- What is calculated.
select results_eq($$select member_id, total_visits, total_sales, lifetime_value, avg_sale_value from customers order by member_id$$,
  $$values ('A', 4, 4, 250.00, 62.50), ('B', 1, 1, 120.00, 200.00), ('C', 1, 1, 30.00, 30.00), ('D', 0, 0, 0.00, 0.00), ('E', 1, 1, 25.00, 25.00)$$,
  'visits are days of completed sales; refunds are taken off the lifetime value, queued sales are none');
select results_eq($$select avg_days_between_visits, longest_gap_days, shortest_gap_days, total_visits, predicted_next_visit - shop_today(),
    visit_consistency_score from customer_visit_patterns$$,
  $$values (13.33, 20, 10, 4, 13, 0.567)$$, 'gaps 10, 10, 20: mean 13.33, sd 5.77, consistency 1 - 0.433');
select results_eq($$select product_sku, purchase_count, total_spent, repurchase_rate from customer_product_affinity where customer_id = 'A' order by 1$$,
  $$values ('E1', 2, 40.00, 0.333), ('F1', 3, 160.00, 0.667)$$, 'F1: bought on 2 of 3 later visits, though its name changed');
select results_eq('select sku_1, sku_2, baskets from product_pairs order by 1, 2', $$values ('E1', 'F1', 2), ('F2', 'X1', 1)$$, 'pairs of a basket');
select results_eq('select staff_name, shop_location, total_transactions, total_sales from staff order by 1, 2',
  $$values ('Kim', 'North', 2, 100.00), ('Kim', 'South', 1, 30.00), ('Sam', 'North', 3, 175.00), ('Sam', 'South', 1, 200.00)$$, 'staff');
select is(recalculate_v1() -> 'affinity', '0'::jsonb, 'a second run changes nothing');
update transactions set status = 'Refund' where transaction_id = 'a2';
select lives_ok('select recalculate_v1()', 'an incremental run');
select results_eq($$select total_visits, lifetime_value from customers where member_id = 'A'$$, $$values (3, 150.00)$$, 'a sale that became a refund counts off');
select results_eq($$select product_sku, purchase_count from customer_product_affinity where customer_id = 'A' order by 1$$, $$values ('E1', 2), ('F1', 2)$$, 'and out of the affinity');
update transactions set status = 'Completed' where transaction_id = 'a2';
select lives_ok('select recalculate_v1()', 'and back');

-- Customers.
update shop_settings set vip_visits = 4, regular_visits = 3;
select results_eq('select member_id from vip_customers', $$values ('A')$$, 'VIP by visits as configured');
select results_eq('select member_id, churn_level from high_churn_customers', $$values ('B', 'High'), ('E', 'Critical')$$, 'away for 60 days and more; 70 is high, 95 critical');
select results_eq('select member_id from new_customers', $$values ('C')$$, 'joined within 30 days');
select results_eq('select band, customers from ltv_distribution', $$values ('no sales', 1::bigint), ('0 to 100', 2::bigint), ('100 to 500', 2::bigint)$$, 'no sales has a band of its own');
select results_eq('select member_id, product_sku, purchase_count from favorite_products', $$values ('A', 'F1', 3), ('A', 'E1', 2)$$, 'bought twice at least');
select results_eq('select customer_segment, customers from customers_by_segment order by 1', $$values ('New', 4::bigint), ('VIP', 1::bigint)$$, 'segments');
select results_eq('select state, customers from customers_by_state', $$values ('CA', 3::bigint), ('NV', 1::bigint)$$, 'states whatever their case');
select results_eq('select zip_code, customers from customers_by_zip', $$values ('90001', 2::bigint), ('89001', 1::bigint), ('90002', 1::bigint)$$, 'zip + 4 is its zip');
select results_eq('select member_id, days_since, churn_level from churn_prediction', $$values ('E', 95, 'Critical'), ('B', 70, 'High')$$, 'longest away first; never seen is no risk');
select is((select member_id from top_customers limit 1), 'A', 'top customer');
select results_eq('select customers, vip, with_phone, active_30_days from customer_totals', $$values (5::bigint, 1::bigint, 4::bigint, 2::bigint)$$, 'totals');
select results_eq($$select member_id from customer_by_phone('(555) 010-0001') order by 1$$, $$values ('A'), ('E')$$, 'a shared phone, written another way, gives both');
select is((select count(*) from purchase_history('555-010-0003')), 3::bigint, 'history: two lines, and a sale without lines');
select results_eq($$select product_sku, reason from product_recommendations('B')$$, $$values ('F2', 'bought before')$$, 'what left the catalogue is not proposed');
select results_eq('select marketing_source, customers, high_churn_percent from marketing_sources order by 1',
  $$values ('friend', 1::bigint, 100.0), ('unknown', 2::bigint, 0.0), ('web', 2::bigint, 50.0)$$, 'sources');
select results_eq('select churn_level, customers from churn_distribution', $$values ('Low', 2::bigint), ('High', 1::bigint), ('Critical', 1::bigint), ('Unknown', 1::bigint)$$, 'churn');
insert into opt_outs (phone_number) values ('+15550100002');
select results_eq('select member_id from win_back', $$values ('E')$$, 'win-back leaves out who opted out');
select ok((select score between 0 and 100 from win_back), 'its score is 0 to 100');

-- Sales.
select is((select sum(revenue) from monthly_revenue), 520.00, 'completed revenue, refunds and queued sales left out');
select results_eq('select shop_today() - sale_date, transactions, revenue from daily_revenue order by 1',
  $$values (0, 2::bigint, 55.00), (1, 1::bigint, 30.00), (20, 1::bigint, 60.00)$$, 'by days of the shop: 23:30 is still yesterday, day 30 is out');
select results_eq('select payment_type, transactions, percent_of_revenue from payment_methods', $$values ('Cash', 6::bigint, 84.62), ('Debit', 1::bigint, 9.62), ('unknown', 1::bigint, 5.77)$$, 'payment');
select results_eq('select value_band, transactions, avg_transaction from order_value_by_segment', $$values ('medium', 5::bigint, 90.00), ('low', 2::bigint, 27.50)$$, 'bands');
select results_eq('select staff_name, shop_location, total_sales, unique_customers from top_staff',
  $$values ('Sam', 'South', 200.00, 1::bigint), ('Sam', 'North', 175.00, 2::bigint), ('Kim', 'North', 100.00, 1::bigint), ('Kim', 'South', 30.00, 1::bigint)$$, 'staff by shop');
select results_eq($$select shop_location, sum(total_sales) from staff_by_month where staff_name = 'Sam' group by 1 order by 1$$, $$values ('North', 175.00), ('South', 200.00)$$,
  'staff by month, a name in two shops apart');
select results_eq('select staff_name, active_days, transactions_per_day from staff_productivity', $$values ('Sam', 4::bigint, 1.00), ('Kim', 3::bigint, 1.00)$$, 'per active day');
select results_eq('select shop_location, revenue, unique_customers from revenue_by_location', $$values ('North', 290.00, 2::bigint), ('South', 230.00, 2::bigint)$$, 'shops');
select results_eq('select day, transactions, revenue from sales_today', $$values ('today', 2::bigint, 55.00), ('yesterday', 1::bigint, 30.00)$$, 'today begins at midnight of the shop');
select results_eq('select customers, walk_ins, revenue from visitors_today', $$values (1::bigint, 1::bigint, 55.00)$$, 'visitors');
select results_eq('select days, active_customers, transactions from active_customers', $$values (7, 2::bigint, 3::bigint), (30, 2::bigint, 4::bigint)$$, 'active');
select ok((select revenue >= 55 from revenue_this_month), 'this month');
select is((select sum(revenue) from weekly_revenue), 520.00, 'weeks add up');
select is((select sum(revenue) from seasonal_patterns where hour = 12), 435.00, 'hours are the shop''s');
select results_eq('select sales_per_30_days, customers from transaction_frequency', $$values ('below 1', 2::bigint), ('1 to 2', 1::bigint), ('2 to 4', 1::bigint)$$, 'frequency');

-- Products.
select results_eq('select product_key, transactions, units, revenue from best_sellers_by_revenue limit 3',
  $$values ('F1', 3::bigint, 4.000, 160.00), ('F2', 1::bigint, 4.000, 120.00), ('E1', 3::bigint, 3.000, 60.00)$$, 'a renamed product is one; refunds are out');
select results_eq('select product_key, units from best_sellers_by_volume limit 2', $$values ('F1', 4.000), ('F2', 4.000)$$, 'by units');
select ok(exists (select from best_sellers_by_volume where product_key = 'name:lighter'), 'a line without SKU counts by its name');
select results_eq('select category, transactions, revenue from category_revenue',
  $$values ('Flower', 4::bigint, 280.00), ('Edibles', 3::bigint, 60.00), ('Vape', 1::bigint, 50.00), ('unknown', 1::bigint, 3.00)$$, 'categories count sales, not lines');
select is((select sum(revenue) from category_trends where category = 'Flower'), 280.00, 'trends add up');
select results_eq('select brand, products, revenue from brand_performance', $$values ('Green', 2::bigint, 280.00), ('Sweet', 1::bigint, 60.00), ('Old', 1::bigint, 50.00), ('unknown', 0::bigint, 3.00)$$, 'brands');
select results_eq('select thc_range, lines from thc_preferences', $$values ('20 to 25 %', 3::bigint), ('30 % and more', 2::bigint)$$, 'milligrams of edibles are no per cent');
select results_eq('select cbd_range, lines from cbd_preferences', $$values ('unknown', 5::bigint)$$, 'CBD');
select results_eq('select strain, times_sold from strain_popularity', $$values ('Haze', 3::bigint), ('Kush', 1::bigint)$$, 'strains');
select results_eq($$select price_from, lines from price_points where category = 'Flower' order by 1$$, $$values (30, 1::bigint), (40, 3::bigint)$$, 'price points');
select results_eq($$select products, lowest, median, highest from catalog_prices where category = 'Flower'$$, $$values (2::bigint, 30.00, 35::double precision, 40.00)$$, 'catalogue');
select results_eq($$select field, filled, percent from catalog_completeness where field in ('name', 'leafly_rating', 'cost') order by 1$$,
  $$values ('cost', 0::bigint, 0.0), ('leafly_rating', 2::bigint, 50.0), ('name', 4::bigint, 100.0)$$, 'completeness');
select is_empty($$select attname from pg_attribute where attrelid = 'products'::regclass and attnum > 0 and attname not in
  ('id', 'sku', 'is_active', 'created_at', 'updated_at') and attname not in (select field from catalog_completeness)$$, 'of every column that may be empty');
select results_eq('select rating, products, revenue from rating_and_sales', $$values ('3 to 4', 1::bigint, 60.00), ('4.5 and more', 1::bigint, 160.00), ('not rated', 2::bigint, 170.00)$$, 'ratings');
select results_eq('select sku, stage from product_lifecycle order by 1', $$values ('E1', 'current'), ('F1', 'current'), ('F2', 'current'), ('X1', 'fading')$$, 'lifecycle');
select is_empty($$select * from slow_movers where sku = 'X1'$$, 'what left the catalogue is no slow mover');
select results_eq('select product_1, product_2, baskets from bought_together', $$values ('Gummies', 'Flower One', 2), ('Flower Two', 'Gone', 1)$$, 'together');
select results_eq('select category_1, category_2, baskets from category_combinations', $$values ('Edibles', 'Flower', 2::bigint), ('Flower', 'Vape', 1::bigint)$$, 'categories count baskets');
select results_eq($$select product_sku, purchases from segment_products where customer_segment = 'VIP'$$, $$values ('F1', 3::bigint), ('E1', 2::bigint)$$, 'by segment');
select results_eq($$select top_brand, brand_loyalty_percent, top_category, repeat_percent from customer_preferences where customer_id = 'A'$$,
  $$values ('Green', 60.0, 'Flower', 100.0)$$, 'preferences');

-- Visits.
select results_eq('select consistency, customers from visit_consistency', $$values ('medium', 1::bigint)$$, 'consistency 0.567 is medium');
select is_empty('select * from predicted_visits', 'the next visit is in 13 days, not 7');
select results_eq('select member_id, favorite_product, reachable from next_purchases', $$values ('A', 'Flower One', true)$$, 'one row a customer, with the favourite');
update customer_visit_patterns set predicted_next_visit = shop_today() - 3 where customer_id = 'A';
insert into opt_outs (phone_number) values ('(555) 010-0001');   -- as a person types it
select results_eq('select member_id, overdue, reachable from predicted_visits', $$values ('A', true, false)$$, 'who is overdue is not left out; who opted out is marked');
delete from opt_outs where phone_number = '+15550100001';
update customer_visit_patterns set predicted_next_visit = shop_today() + 13 where customer_id = 'A';
select results_eq('select member_id, overdue_ratio from overdue_ratio', $$values ('A', 0.00)$$, 'overdue');
select results_eq('select stage, customers from lifecycle_stages order by 1', $$values ('active', 1::bigint), ('never visited', 1::bigint), ('new', 1::bigint), ('one visit', 2::bigint)$$, 'stages');
select results_eq('select customers, mean_error_days from visit_prediction_accuracy', $$values (1::bigint, 10.0)$$, 'gap 20 where 10 was foretold');

-- Messages and campaigns.
insert into auth.users (id, email) values ('20000000-0000-4000-8000-000000000001', 'insight-box@example.com');
insert into gateways (id, auth_user_id) values ('insight-box', '20000000-0000-4000-8000-000000000001');
insert into campaigns (campaign_name) values ('spring');
select set_config('conductor.actor', 'insight-box', true);
insert into scheduled_messages (id, phone_number, customer_id, message_content, status, delivery_status, campaign_name, strategy_type, confidence_score,
    generation_cost, actual_send_time, reviewed_at, human_override, customer_segment, scheduled_send_time) values
  (910001, '+15550100001', 'A', 'hi', 'delivered', 'delivered', 'spring', 'win_back', 0.9, 0.02, pg_temp.day(2), now(), true, 'VIP', pg_temp.day(2)),
  (910002, '+15550100003', 'C', 'hi', 'sent', 'pending', 'spring', 'win_back', 0.6, null, pg_temp.day(2), now(), false, 'New', pg_temp.day(2)),
  (910003, '+15550100009', null, 'hi', 'failed', 'none', 'spring', 'general', null, 0.01, null, null, false, 'New', pg_temp.day(2)),
  (910004, '+15550100008', null, 'hi', 'cancelled', 'none', 'spring', 'general', null, 0.01, null, null, false, null, pg_temp.day(2));
insert into messages (phone_number, content, message_hash, status, direction, delivery_status, sent_at, "timestamp", gateway_id, modem_index, scheduled_message_id,
    claim_epoch, cost, reason) values
  ('+15550100001', 'hi', 'h1', 'delivered', 'outbound', 'delivered', pg_temp.day(2), pg_temp.day(2), 'insight-box', 0, 910001, 1, 0.01, null),
  ('+15550100003', 'hi', 'h2', 'sent', 'outbound', 'pending', pg_temp.day(2), pg_temp.day(2), 'insight-box', 0, 910002, 1, 0.01, null),
  ('+15550100009', 'hi', 'h3', 'failed', 'outbound', 'none', null, pg_temp.day(2), 'insight-box', 0, 910003, 1, null, 'cms-1'),
  ('+15550100001', 'hi', 'h1', 'sent', 'outbound', 'pending', pg_temp.day(1), pg_temp.day(1), 'insight-box', 0, null, null, null, null);
insert into messages (phone_number, content, status, direction, "timestamp") values ('+15550100001', 'yes', 'unread', 'inbound', pg_temp.day(1));
select results_eq('select campaign_name, messages, sent, delivered, not_delivered, cancelled, total_cost from campaign_effectiveness',
  $$values ('spring', 4::bigint, 2::bigint, 1::bigint, 1::bigint, 1::bigint, 0.04)$$, 'cancelled and failed ones were not sent');
select results_eq('select strategy_type, messages, avg_confidence, delivered from strategy_effectiveness order by 1',
  $$values ('general', 2::bigint, null, 0::bigint), ('win_back', 2::bigint, 0.750, 1::bigint)$$, 'strategies');
select results_eq('select sent, delivered, delivered_percent, outbound, sent_percent from delivery_rate order by day',
  $$values (2::bigint, 1::bigint, 50.0, 3::bigint, 66.7), (1::bigint, 0::bigint, 0.0, 1::bigint, 100.0)$$, 'delivery by day and modem');
select results_eq('select messaged, responded, response_percent from response_rate', $$values (2::bigint, 1::bigint, 50.0)$$, 'one of two answered within 7 days');
select results_eq('select strategy_type, responded from strategy_responses', $$values ('win_back', 1::bigint)$$, 'answers by strategy');
select results_eq('select customer_segment, response_percent from segment_targeting order by 1', $$values ('New', 0.0), ('VIP', 100.0)$$, 'answers by segment');
select results_eq('select hour, sent, responded from best_send_times', $$values (12, 2::bigint, 1::bigint)$$, 'answers by hour of the shop');
select results_eq('select reviewed, overridden, override_percent from human_overrides', $$values (2::bigint, 1::bigint, 50.0)$$, 'overrides');
select results_eq('select generation_cost, sms_cost, total_cost from campaign_costs', $$values (0.04, 0.0200, 0.0600)$$, 'costs');
select results_eq('select sales, revenue from campaign_roi', $$values (2::bigint, 70.00)$$, 'sales within 7 days after a message: a4 and c1');
select is((select sum(outbound) from message_volume), 4::numeric, 'volume');
select results_eq('select status, reason, messages from failed_messages', $$values ('failed', 'cms-1', 1::bigint)$$, 'failures');
select results_eq('select phone_number, copies from duplicate_messages', $$values ('+15550100001', 2::bigint)$$, 'duplicates');
insert into budtenders (first_name, phone, dispensary_name, points) values ('P', '+15550100050', 'Leaf', 3), ('Q', null, 'Leaf', 4);
select results_eq('select dispensary_name, budtenders, with_phone, points from budtender_contacts', $$values ('Leaf', 2::bigint, 1::bigint, 7::bigint)$$, 'budtenders');
insert into leads (phone_number, customer_id, lead_status, conversation_stage, conversion_probability) values
  ('+15550100060', null, 'new', 'discovery', 0.3), ('+15550100061', 'A', 'warm', 'discovery', 0.8);
select results_eq('select conversation_stage, lead_status, leads, converted from lead_funnel', $$values ('discovery', 'new', 1::bigint, 0::bigint), ('discovery', 'warm', 1::bigint, 1::bigint)$$, 'leads');
select results_eq('select probability_from, foretold, happened from lead_quality', $$values (0.3, 0.300, 0.000), (0.8, 0.800, 1.000)$$, 'quality');

-- The context that agents read.
select results_eq($$select member_id, vip_status, churn_risk, favorite_category, preferred_location, favorite_products -> 0 ->> 'product_name'
    from customer_sms_context where phone = '+15550100001' order by 1$$,
  $$values ('A', 'VIP', 'Low', 'Flower', 'North', 'Flower One'), ('E', 'New', 'High', null, 'North', null)$$, 'context by phone');

-- The web shop.
insert into customer_intelligence (customer_email, total_orders, last_order_date, next_prime_window_start, next_prime_window_end, profile_score, last_recalculated) values
  ('a@example.com', 3, now() - interval '12 days', now() - interval '1 day', now() + interval '5 days', 80, now()),
  ('b@example.com', 2, null, null, null, 10, null);
insert into device_tracking (customer_email, ip_hash, browser_fingerprint, last_seen) values
  ('a@example.com', 'ip', 'print-a', now() - interval '400 days'), ('b@example.com', 'ip', 'print-b', now()), ('b@example.com', 'ip2', 'print-c', now());
insert into bundle_offers (customer_email, bundle_products, total_quantity, base_price, discount_amount, final_price, status, viewed_at) values
  ('a@example.com', '[]', 4, 100, 15, 85, 'purchased', now()), ('a@example.com', '[]', 4, 100, 12, 88, 'rejected', now()),
  ('a@example.com', '[]', 4, 0, 0, 0, 'viewed', now()), ('b@example.com', '[]', 4, 100, 10, 90, 'pending', null);
insert into behavioral_events (customer_email, event_type) values ('a@example.com', 'bundle_viewed'), ('a@example.com', 'bundle_viewed');
select results_eq($$select customer_email, matched_by from customer_by_device('print-a', 'ip')$$, $$values ('a@example.com', 'fingerprint')$$, 'the fingerprint decides, though another was seen later on the address');
select is_empty($$select * from customer_by_device('', 'ip')$$, 'an address of two customers says nothing');
select results_eq($$select customer_email, matched_by from customer_by_device('new', 'ip2')$$, $$values ('b@example.com', 'address')$$, 'an address of one does');
select results_eq($$select total_orders, days_since_order, in_prime_window from profile_by_email(' A@Example.com')$$, $$values (3, 12, true)$$, 'e-mails in any case');
select is((select days_since_order from web_profiles where customer_email = 'b@example.com'), 999, 'no order');
select is((select status from active_bundle('a@example.com')), 'viewed', 'a viewed offer is still active');
select results_eq('select viewed, purchased, conversion_percent from bundle_conversion', $$values (3::bigint, 1::bigint, 33.33)$$, 'of all that were viewed');
select is((select count(*) from recent_events('a@example.com')), 2::bigint, 'events');
select results_eq('select event_type, events, customers from events_by_type', $$values ('bundle_viewed', 2::bigint, 1::bigint)$$, 'by type');
select is((select count(*) from devices_of_customer('b@example.com')), 2::bigint, 'devices');
select results_eq($$select customer_email from customers_on_device('print-b')$$, $$values ('b@example.com')$$, 'on one device');
select results_eq('select customer_email, profile_score from top_profiles limit 1', $$values ('a@example.com', 55.00)$$, 'the score as of now: 3 orders 15, 12 days 40');
insert into customer_intelligence (customer_email, total_orders, avg_order_value, last_order_date)
  select 'score-' || n || '@example.com', orders, aov, case when days < 999 then now() - make_interval(days => days) end
  from (values (1, 0, 0, 999), (2, 1, 44.85, 0), (3, 3, 50, 20), (4, 6, 100, 14), (5, 6, 100, 15), (6, 43, 60, 30), (7, 10, 200, 91)) v (n, orders, aov, days);
select results_eq($$select current_score from web_profiles where customer_email like 'score-%' order by customer_email$$,
  $$values (0.0), (58.455), (60.0), (100), (90.0), (78.0), (60.0)$$, 'the scores of the reference');
delete from customer_intelligence where customer_email like 'score-%';
select results_eq('select customer_email, in_prime_window from prime_window', $$values ('a@example.com', true)$$, 'who is inside the window is not left out');
select results_eq('select discount, offers, purchased from bundle_acceptance', $$values ('15 % and more', 1::bigint, 1::bigint), ('10 to 15 %', 1::bigint, 0::bigint), ('no price', 1::bigint, 0::bigint)$$, 'by discount; a price of 0 is no error');
select is((select devices from inactive_devices), 1::bigint, 'inactive devices');
select is(forget_inactive_devices_v1() -> 'devices', '1'::jsonb, 'are forgotten');
select is((select browser_fingerprint from customer_intelligence where customer_email = 'b@example.com'), '', 'nobody else is touched');
select results_eq('select customer_email from profiles_to_recalculate', $$values ('b@example.com')$$, 'to recalculate');
select is((select count(*) from profiles_export), 2::bigint, 'export');
select ok(exists (select from index_use where index_name = 'device_tracking_ip'), 'index use');

-- The list is whole, and every name in it can be read.
select is_empty($$
  select n from (select 'S0-Q' || i as n from generate_series(1, 37) i union all select 'S0-I' || i from generate_series(1, 22) i
                 union all select 'S4-Q' || i from generate_series(1, 15) i) x
  where not exists (select from insights i where x.n = any (i.numbers))$$, 'every number of the reference has an insight');
select is_empty($$
  select i.name from insights i where not exists (select from pg_class c where c.relname = i.name and c.relnamespace = 'public'::regnamespace and c.relkind = 'v' and i.parameters = '{}')
    and not exists (select from pg_proc p where p.proname = i.name and p.pronamespace = 'public'::regnamespace and i.parameters <> '{}'
                    and p.proargnames[1:cardinality(i.parameters)] = i.parameters)$$, 'every insight is a view, or a function with its parameters');
select is_empty($$
  select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
    and not coalesce(c.reloptions @> array['security_invoker=true'], false)$$, 'every view reads with the rights of who asks');
select * from finish();
rollback;
