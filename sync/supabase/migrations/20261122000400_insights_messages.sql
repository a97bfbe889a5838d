-- The named insights of messages, campaigns, leads and the web shop; and the list of all of them.

-- Messages and campaigns --------------------------------------------------------------------------------------------------------------
create view public.campaign_effectiveness with (security_invoker = true) as
select campaign_name, count(*) as messages, count(distinct phone_number) as recipients,
       count(*) filter (where status in ('sent', 'delivered', 'undelivered')) as sent,
       count(*) filter (where delivery_status = 'delivered') as delivered,
       count(*) filter (where status in ('failed', 'expired', 'suppressed', 'undelivered')) as not_delivered,
       count(*) filter (where status = 'cancelled') as cancelled, count(*) filter (where status = 'unknown') as unknown,
       coalesce(sum(generation_cost), 0) as total_cost, round(coalesce(sum(generation_cost), 0) / count(*), 6) as cost_per_message
from public.scheduled_messages where campaign_name <> '' group by campaign_name order by messages desc, campaign_name;

create view public.strategy_effectiveness with (security_invoker = true) as
select strategy_type, count(*) as messages, round(avg(confidence_score), 3) as avg_confidence,
       count(*) filter (where delivery_status = 'delivered') as delivered, coalesce(sum(generation_cost), 0) as total_cost
from public.scheduled_messages where strategy_type <> '' group by strategy_type order by messages desc, strategy_type;

create view public.budtender_contacts with (security_invoker = true) as
select coalesce(nullif(dispensary_name, ''), 'unknown') as dispensary_name, count(*) as budtenders, count(nullif(phone, '')) as with_phone,
       count(nullif(email, '')) as with_email, sum(points) as points
from public.budtenders group by 1 order by budtenders desc, 1;

create view public.delivery_rate with (security_invoker = true) as
select (m.sent_at at time zone s.time_zone)::date as day, m.gateway_id, m.modem_index, count(*) as sent,
       count(*) filter (where m.delivery_status = 'delivered') as delivered,
       round(100.0 * count(*) filter (where m.delivery_status = 'delivered') / count(*), 1) as delivered_percent
from public.messages m cross join public.shop_settings s
where m.direction = 'outbound' and m.sent_at is not null group by 1, 2, 3 order by 1 desc, 2, 3;

create view public.message_volume with (security_invoker = true) as
select (m."timestamp" at time zone s.time_zone)::date as day, extract(hour from m."timestamp" at time zone s.time_zone)::integer as hour,
       count(*) filter (where m.direction = 'outbound') as outbound, count(*) filter (where m.direction = 'inbound') as inbound
from public.messages m cross join public.shop_settings s group by 1, 2 order by 1 desc, 2;

create view public.failed_messages with (security_invoker = true) as
select status, coalesce(reason, 'none given') as reason, count(*) as messages, count(distinct phone_number) as recipients, max("timestamp") as latest
from public.messages where status in ('failed', 'undelivered', 'expired', 'unknown', 'suppressed')
group by 1, 2 order by messages desc, 1, 2;

create view public.duplicate_messages with (security_invoker = true) as
select phone_number, message_hash, count(*) as copies, min("timestamp") as first_at, max("timestamp") as last_at
from public.messages where direction = 'outbound' and message_hash is not null and status in ('sent', 'delivered', 'undelivered', 'unknown')
group by phone_number, message_hash having count(*) > 1 order by copies desc, last_at desc;

-- One row a message that went out: was there an inbound from that number within 7 days?
create view public.message_responses with (security_invoker = true) as
select j.id, j.campaign_name, j.campaign_batch_id, j.strategy_type, j.customer_segment, j.customer_id, j.phone_number, j.actual_send_time as sent_at,
       r.at as responded_at
from public.scheduled_messages j
left join lateral (select m."timestamp" as at from public.messages m
                   where m.phone_number = j.phone_number and m.direction = 'inbound'
                     and m."timestamp" >= j.actual_send_time and m."timestamp" < j.actual_send_time + interval '7 days'
                   order by m."timestamp" limit 1) r on true
where j.actual_send_time is not null and j.status in ('sent', 'delivered', 'undelivered', 'unknown');

create view public.response_rate with (security_invoker = true) as
select coalesce(campaign_name, 'none') as campaign_name, count(distinct phone_number) as messaged,
       count(distinct phone_number) filter (where responded_at is not null) as responded,
       round(100.0 * count(distinct phone_number) filter (where responded_at is not null) / count(distinct phone_number), 1) as response_percent
from public.message_responses group by 1 order by messaged desc, 1;

create view public.strategy_responses with (security_invoker = true) as
select coalesce(strategy_type, 'none') as strategy_type, count(*) as sent, count(responded_at) as responded,
       round(100.0 * count(responded_at) / count(*), 1) as response_percent
from public.message_responses group by 1 order by sent desc, 1;

create view public.segment_targeting with (security_invoker = true) as
select coalesce(customer_segment, 'none') as customer_segment, count(*) as sent, count(responded_at) as responded,
       round(100.0 * count(responded_at) / count(*), 1) as response_percent
from public.message_responses group by 1 order by sent desc, 1;

create view public.best_send_times with (security_invoker = true) as
select extract(isodow from r.sent_at at time zone s.time_zone)::integer as weekday, extract(hour from r.sent_at at time zone s.time_zone)::integer as hour,
       count(*) as sent, count(r.responded_at) as responded, round(100.0 * count(r.responded_at) / count(*), 1) as response_percent
from public.message_responses r cross join public.shop_settings s group by 1, 2 order by response_percent desc, sent desc, 1, 2;

create view public.human_overrides with (security_invoker = true) as
select coalesce(strategy_type, 'none') as strategy_type, count(*) as reviewed, count(*) filter (where human_override) as overridden,
       round(100.0 * count(*) filter (where human_override) / count(*), 1) as override_percent
from public.scheduled_messages where reviewed_at is not null group by 1 order by reviewed desc, 1;

create view public.campaign_costs with (security_invoker = true) as
select j.campaign_name, coalesce(sum(j.generation_cost), 0) as generation_cost, coalesce(sum(m.cost), 0) as sms_cost,
       coalesce(sum(j.generation_cost), 0) + coalesce(sum(m.cost), 0) as total_cost
from public.scheduled_messages j
left join (select scheduled_message_id, sum(cost) as cost from public.messages where scheduled_message_id is not null group by 1) m
  on m.scheduled_message_id = j.id
where j.campaign_name <> '' group by j.campaign_name order by total_cost desc, j.campaign_name;

-- Attribution: a sale within 7 days of a message belongs to the last campaign that wrote to the customer before it.
create view public.campaign_roi with (security_invoker = true) as
with touched as (
  select s.id, s.total_amount, x.campaign_name
  from public.sales s
  join lateral (select j.campaign_name from public.scheduled_messages j
                where j.customer_id = s.customer_id and j.campaign_name <> '' and j.status in ('sent', 'delivered')
                  and j.actual_send_time <= s.date and j.actual_send_time > s.date - interval '7 days'
                order by j.actual_send_time desc limit 1) x on true
  where s.date > (select min(j.actual_send_time) from public.scheduled_messages j where j.campaign_name <> ''))
select c.campaign_name, c.total_cost, coalesce(t.sales, 0) as sales, coalesce(t.revenue, 0) as revenue,
       round(coalesce(t.revenue, 0) / nullif(c.total_cost, 0), 2) as revenue_per_cost
from public.campaign_costs c
left join (select campaign_name, count(*) as sales, sum(total_amount) as revenue from touched group by 1) t using (campaign_name)
order by revenue desc, c.campaign_name;

create view public.batch_performance with (security_invoker = true) as
select m.campaign_name, coalesce(m.campaign_batch_id, 'none') as campaign_batch_id, count(*) as messages,
       count(*) filter (where m.status in ('exported', 'sent', 'failed')) as exported, count(*) filter (where m.status = 'sent') as sent,
       count(*) filter (where m.delivery_status = 'delivered') as delivered, count(m.responded_at) as responded,
       coalesce(sum(m.cost), 0) + coalesce(sum(m.generation_cost), 0) as cost
from public.campaign_messages m group by 1, 2 order by messages desc, 1, 2;

create view public.export_tracking with (security_invoker = true) as
select (m.exported_at at time zone s.time_zone)::date as day, m.exported_to, count(*) as exported,
       count(*) filter (where m.status = 'sent') as sent, count(*) filter (where m.status = 'failed') as failed, count(m.responded_at) as responded
from public.campaign_messages m cross join public.shop_settings s
where m.exported_at is not null group by 1, 2 order by 1 desc, 2;

create view public.lead_funnel with (security_invoker = true) as
select conversation_stage, lead_status, count(*) as leads, count(customer_id) as converted,
       round(100.0 * count(customer_id) / count(*), 1) as converted_percent
from public.leads group by 1, 2
order by array_position(array['discovery', 'pain_points', 'solution', 'qualification', 'demo'], conversation_stage), lead_status;

create view public.lead_quality with (security_invoker = true) as
select (floor(conversion_probability * 10) / 10)::numeric(2, 1) as probability_from, count(*) as leads, count(customer_id) as converted,
       round(avg(conversion_probability), 3) as foretold, round(count(customer_id)::numeric / count(*), 3) as happened
from public.leads group by 1 order by 1;

-- The web shop ------------------------------------------------------------------------------------------------------------------------
create view public.web_profiles with (security_invoker = true) as
select p.*, case when p.last_order_date is null then 999 else extract(day from now() - p.last_order_date)::integer end as days_since_order,
       now() between p.next_prime_window_start and p.next_prime_window_end as in_prime_window
from public.customer_intelligence p;
comment on view public.web_profiles is 'Profiles with the days since the last order as of now.';

-- The fingerprint decides; an address alone only where it is one customer's. Never a merge, only a hint.
create function public.customer_by_device(fingerprint text default '', address_hash text default '')
returns table (customer_email text, customer_id bigint, matched_by text, last_seen timestamptz)
language sql stable set search_path = '' as $$
  with by_print as (
    select d.customer_email, max(d.customer_id) as customer_id, 'fingerprint' as matched_by, max(d.last_seen) as last_seen
    from public.device_tracking d where fingerprint <> '' and d.browser_fingerprint = fingerprint
    group by d.customer_email order by max(d.last_seen) desc limit 1),
  by_address as (
    select d.customer_email, max(d.customer_id) as customer_id, 'address' as matched_by, max(d.last_seen) as last_seen
    from public.device_tracking d where address_hash <> '' and d.ip_hash = address_hash group by d.customer_email)
  select * from by_print
  union all
  select * from by_address where not exists (select 1 from by_print) and (select count(*) from by_address) = 1
$$;

create function public.profile_by_email(email text) returns setof public.web_profiles
language sql stable set search_path = '' as $$
  select * from public.web_profiles p where p.customer_email = lower(btrim(email))
$$;

create function public.active_bundle(email text) returns setof public.bundle_offers
language sql stable set search_path = '' as $$
  select * from public.bundle_offers b where b.customer_email = lower(btrim(email)) and b.status in ('pending', 'viewed') and b.expires_at > now()
  order by b.offered_at desc limit 1
$$;

create view public.bundle_conversion with (security_invoker = true) as
select count(*) as viewed, count(*) filter (where status = 'purchased') as purchased,
       round(100.0 * count(*) filter (where status = 'purchased') / nullif(count(*), 0), 2) as conversion_percent,
       coalesce(sum(conversion_value), 0) as revenue
from public.bundle_offers where viewed_at is not null and offered_at >= now() - interval '30 days';

create function public.recent_events(email text) returns setof public.behavioral_events
language sql stable set search_path = '' as $$
  select * from public.behavioral_events e where e.customer_email = lower(btrim(email)) order by e.created_at desc limit 50
$$;

create view public.events_by_type with (security_invoker = true) as
select event_type, count(*) as events, count(distinct customer_email) as customers
from public.behavioral_events where created_at >= now() - interval '30 days' group by event_type order by events desc, event_type;

create function public.devices_of_customer(email text) returns setof public.device_tracking
language sql stable set search_path = '' as $$
  select * from public.device_tracking d where d.customer_email = lower(btrim(email)) order by d.last_seen desc
$$;

create function public.customers_on_device(fingerprint text) returns table (customer_email text, last_seen timestamptz, visits bigint)
language sql stable set search_path = '' as $$
  select d.customer_email, max(d.last_seen), sum(d.visit_count) from public.device_tracking d
  where d.browser_fingerprint = fingerprint and fingerprint <> '' group by d.customer_email order by 2 desc
$$;

create view public.top_profiles with (security_invoker = true) as
select customer_email, profile_score, total_orders, avg_order_value, days_since_order from public.web_profiles
where total_orders > 0 order by profile_score desc, customer_email limit 100;

create view public.prime_window with (security_invoker = true) as
select customer_email, total_orders, days_since_order, next_prime_window_start, next_prime_window_end, in_prime_window from public.web_profiles
where total_orders >= 3 and next_prime_window_start <= now() + interval '7 days' and next_prime_window_end >= now()
order by next_prime_window_start, customer_email;

create view public.bundle_acceptance with (security_invoker = true) as
select case when d.percent >= 15 then '15 % and more' when d.percent >= 10 then '10 to 15 %' when d.percent >= 0 then 'below 10 %' else 'no price' end as discount,
       count(*) as offers, count(*) filter (where b.status = 'purchased') as purchased,
       round(100.0 * count(*) filter (where b.status = 'purchased') / count(*), 2) as purchased_percent
from public.bundle_offers b, lateral (select 100.0 * b.discount_amount / nullif(b.base_price, 0) as percent) d
where b.viewed_at is not null group by 1 order by min(d.percent) desc nulls last;

-- What the indexes of the web tables are used for, and which are not used at all.
create view public.index_use with (security_invoker = true) as
select s.relname as table_name, s.indexrelname as index_name, s.idx_scan as scans, pg_relation_size(s.indexrelid) as bytes
from pg_catalog.pg_stat_user_indexes s where s.schemaname = 'public' order by s.idx_scan, bytes desc;

create view public.inactive_devices with (security_invoker = true) as
select count(*) as devices, min(last_seen) as oldest from public.device_tracking where last_seen < now() - interval '365 days';

-- Devices not seen for a year, with their traces in profiles and events. Returns how many of each.
create function public.forget_inactive_devices_v1(p jsonb default '{}') returns jsonb
language plpgsql security definer set search_path = '' as $$
declare before timestamptz := now() - make_interval(days => greatest(30, coalesce((p ->> 'days')::integer, 365)));
        devices integer; events integer; profiles integer;
begin
  if private.jwt() ? 'sub' and not private.has_role('admin') then
    raise exception 'only an administrator may delete devices' using errcode = '42501';
  end if;
  with gone as (delete from public.device_tracking d where d.last_seen < before returning d.browser_fingerprint, d.ip_hash),
  prints as (select distinct g.browser_fingerprint from gone g where g.browser_fingerprint <> ''
             and not exists (select 1 from public.device_tracking d where d.browser_fingerprint = g.browser_fingerprint and d.last_seen >= before)),
  wiped as (update public.behavioral_events e set browser_fingerprint = null, ip_hash = null
            from prints x where e.browser_fingerprint = x.browser_fingerprint returning 1),
  cleaned as (update public.customer_intelligence c set browser_fingerprint = '', ip_hash = ''
              from prints x where c.browser_fingerprint = x.browser_fingerprint returning 1)
  select (select count(*) from gone), (select count(*) from wiped), (select count(*) from cleaned) into devices, events, profiles;
  return jsonb_build_object('devices', devices, 'events', events, 'profiles', profiles);
end
$$;

create view public.profiles_export with (security_invoker = true) as
select customer_email, customer_id, first_name, last_name, total_orders, avg_order_value, peak_spending_quantity, peak_spending_amount,
       purchase_cycle_days, profile_score, last_order_date, days_since_order, next_prime_window_start, next_prime_window_end, favorite_products
from public.web_profiles order by customer_email;

create view public.profiles_to_recalculate with (security_invoker = true) as
select customer_email, last_recalculated, last_order_date from public.customer_intelligence
where last_recalculated is null or last_recalculated < now() - interval '1 day' order by last_recalculated nulls first, customer_email;

insert into public.insights (name, numbers, area, parameters, description) values
  ('vip_customers', '{S0-Q1}', 'customers', '{}', 'Customers of the top tier, by lifetime value'),
  ('high_churn_customers', '{S0-Q2}', 'customers', '{}', 'Customers away for long, by lifetime value'),
  ('new_customers', '{S0-Q3}', 'customers', '{}', 'Joined within 30 days'),
  ('ltv_distribution', '{S0-Q4}', 'customers', '{}', 'Customers by band of lifetime value'),
  ('favorite_products', '{S0-Q5}', 'customers', '{}', 'What customers bought at least twice'),
  ('monthly_revenue', '{S0-Q6}', 'sales', '{}', 'Revenue by month of the shop''s calendar'),
  ('daily_revenue', '{S0-Q7}', 'sales', '{}', 'Revenue of the last 30 days'),
  ('payment_methods', '{S0-Q8}', 'sales', '{}', 'How people pay, by sales and by money'),
  ('order_value_by_segment', '{S0-Q9}', 'sales', '{}', 'Average sale by band of lifetime value'),
  ('best_sellers_by_revenue', '{S0-Q10}', 'products', '{}', 'Top 20 products by money'),
  ('best_sellers_by_volume', '{S0-Q11}', 'products', '{}', 'Top 20 products by units'),
  ('category_revenue', '{S0-Q12}', 'products', '{}', 'Revenue by category'),
  ('brand_performance', '{S0-Q13}', 'products', '{}', 'Top 20 brands'),
  ('thc_preferences', '{S0-Q14}', 'products', '{}', 'Sales by THC range, where it is per cent'),
  ('strain_popularity', '{S0-Q15}', 'products', '{}', 'Top 20 strains'),
  ('top_staff', '{S0-Q16}', 'staff', '{}', 'Sales by staff and shop'),
  ('staff_by_month', '{S0-Q17}', 'staff', '{}', 'Sales by staff and month'),
  ('campaign_effectiveness', '{S0-Q18}', 'campaigns', '{}', 'What became of each campaign''s messages'),
  ('strategy_effectiveness', '{S0-Q19}', 'campaigns', '{}', 'Messages and deliveries by strategy'),
  ('customers_by_segment', '{S0-Q20}', 'customers', '{}', 'Tiers and their averages'),
  ('visit_consistency', '{S0-Q21}', 'visits', '{}', 'How regularly customers come'),
  ('predicted_visits', '{S0-Q22}', 'visits', '{}', 'Visits due within 7 days, and those overdue by up to 14'),
  ('bought_together', '{S0-Q23}', 'products', '{}', 'Top 20 pairs of products in one basket'),
  ('category_combinations', '{S0-Q24}', 'products', '{}', 'Top 20 pairs of categories in one basket'),
  ('customers_by_state', '{S0-Q25}', 'customers', '{}', 'Customers by state'),
  ('customers_by_zip', '{S0-Q26}', 'customers', '{}', 'Top 20 zip codes'),
  ('revenue_by_location', '{S0-Q27}', 'sales', '{}', 'Revenue by shop'),
  ('sales_today', '{S0-Q28}', 'sales', '{}', 'Today and yesterday, in the shop''s days'),
  ('visitors_today', '{S0-Q29}', 'sales', '{}', 'Customers who bought today'),
  ('active_customers', '{S0-Q30}', 'sales', '{}', 'Active in the last 7 and 30 days'),
  ('churn_prediction', '{S0-Q31}', 'visits', '{}', 'Customers at high or critical risk'),
  ('next_purchases', '{S0-Q32}', 'visits', '{}', 'Visits due within 14 days, with the favourite product'),
  ('customer_by_phone', '{S0-Q33}', 'customers', '{number}', 'Customers of a phone number, however it is written'),
  ('purchase_history', '{S0-Q34}', 'customers', '{number}', 'All sales and their lines of a phone number'),
  ('top_customers', '{S0-Q35}', 'customers', '{}', 'Top 10 by lifetime value'),
  ('revenue_this_month', '{S0-Q36}', 'sales', '{}', 'Revenue since the first of the month'),
  ('product_recommendations', '{S0-Q37}', 'products', '{customer}', 'For a member id: bought before, and bought together with it'),
  ('marketing_sources', '{S0-I1}', 'customers', '{}', 'Where customers come from, and how they do'),
  ('weekly_revenue', '{S0-I2}', 'sales', '{}', 'Revenue by week'),
  ('seasonal_patterns', '{S0-I2}', 'sales', '{}', 'Sales by month of the year, weekday and hour'),
  ('transaction_frequency', '{S0-I3}', 'sales', '{}', 'Customers by sales per 30 days'),
  ('price_points', '{S0-I4}', 'products', '{}', 'Sold prices by category in steps of 10'),
  ('catalog_prices', '{S0-I4}', 'products', '{}', 'Catalogue prices by category'),
  ('cbd_preferences', '{S0-I5}', 'products', '{}', 'Sales by CBD range'),
  ('category_trends', '{S0-I6}', 'products', '{}', 'Category revenue by month'),
  ('catalog_completeness', '{S0-I7}', 'products', '{}', 'How full the catalogue''s fields are'),
  ('rating_and_sales', '{S0-I8}', 'products', '{}', 'Revenue by rating'),
  ('product_lifecycle', '{S0-I9}', 'products', '{}', 'First and last sale of each product'),
  ('overdue_ratio', '{S0-I10}', 'visits', '{}', 'Days away over the usual gap'),
  ('lifecycle_stages', '{S0-I11}', 'visits', '{}', 'New, active, slipping, lost'),
  ('customer_preferences', '{S0-I12}', 'products', '{}', 'Brand loyalty, category, price level and repeats of each customer'),
  ('staff_productivity', '{S0-I13}', 'staff', '{}', 'Sales per active day'),
  ('budtender_contacts', '{S0-I14}', 'staff', '{}', 'Budtenders, contacts and points by dispensary'),
  ('delivery_rate', '{S0-I15}', 'messages', '{}', 'Delivered of sent, by day and modem'),
  ('response_rate', '{S0-I16}', 'messages', '{}', 'Who answered within 7 days, by campaign'),
  ('message_volume', '{S0-I17}', 'messages', '{}', 'Messages by day and hour'),
  ('failed_messages', '{S0-I17}', 'messages', '{}', 'Failures by reason'),
  ('duplicate_messages', '{S0-I17}', 'messages', '{}', 'The same text to the same number more than once'),
  ('campaign_costs', '{S0-I18}', 'campaigns', '{}', 'Cost of writing and sending'),
  ('campaign_roi', '{S0-I18}', 'campaigns', '{}', 'Revenue within 7 days of a message, per cost'),
  ('strategy_responses', '{S0-I19}', 'campaigns', '{}', 'Answers by strategy'),
  ('human_overrides', '{S0-I19}', 'campaigns', '{}', 'How often reviewers changed the text'),
  ('batch_performance', '{S0-I20}', 'campaigns', '{}', 'Results by batch'),
  ('segment_targeting', '{S0-I20}', 'campaigns', '{}', 'Answers by segment'),
  ('best_send_times', '{S0-I20}', 'campaigns', '{}', 'Answers by weekday and hour of sending'),
  ('export_tracking', '{S0-I20}', 'campaigns', '{}', 'Handed over, sent, failed, answered, by day'),
  ('lead_funnel', '{S0-I21}', 'leads', '{}', 'Leads by stage'),
  ('lead_quality', '{S0-I21}', 'leads', '{}', 'Foretold chances against what happened'),
  ('slow_movers', '{S0-I22}', 'products', '{}', 'Active products that hardly sell'),
  ('visit_prediction_accuracy', '{S0-I22}', 'visits', '{}', 'Foretold against real last visits'),
  ('segment_products', '{S0-I22}', 'products', '{}', 'Preferred products by tier'),
  ('churn_distribution', '{S0-I22}', 'customers', '{}', 'Customers by risk'),
  ('win_back', '{}', 'campaigns', '{}', 'Whom to win back, by a score of 0 to 100, with an offer; opted-out numbers are left out'),
  ('customer_by_device', '{S4-Q1}', 'web', '{fingerprint,address_hash}', 'Who this device is: by fingerprint, else by an address that one customer alone has'),
  ('profile_by_email', '{S4-Q2}', 'web', '{email}', 'A web profile'),
  ('active_bundle', '{S4-Q3}', 'web', '{email}', 'The open offer of a customer'),
  ('bundle_conversion', '{S4-Q4}', 'web', '{}', 'Purchased of viewed offers in 30 days'),
  ('recent_events', '{S4-Q5}', 'web', '{email}', 'Last 50 events of a customer'),
  ('events_by_type', '{S4-Q6}', 'web', '{}', 'Events of 30 days by type'),
  ('devices_of_customer', '{S4-Q7}', 'web', '{email}', 'Devices of a customer'),
  ('customers_on_device', '{S4-Q8}', 'web', '{fingerprint}', 'Customers of a device'),
  ('top_profiles', '{S4-Q9}', 'web', '{}', 'Top 100 by profile score'),
  ('prime_window', '{S4-Q10}', 'web', '{}', 'In their prime window now or within 7 days'),
  ('bundle_acceptance', '{S4-Q11}', 'web', '{}', 'Purchased offers by discount'),
  ('index_use', '{S4-Q12}', 'web', '{}', 'Use and size of every index'),
  ('inactive_devices', '{S4-Q13}', 'web', '{}', 'Devices that forget_inactive_devices_v1 would delete'),
  ('profiles_to_recalculate', '{S4-Q14}', 'web', '{}', 'Profiles that were not recalculated for a day'),
  ('profiles_export', '{S4-Q15}', 'web', '{}', 'All profiles, for a CSV file');

-- Every insight that has no parameters is a view; staff may read them all, each by the rules of the tables below it.
do $$
declare v text;
begin
  for v in select c.relname from pg_catalog.pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' loop
    execute format('revoke all on public.%I from public, anon', v);
    execute format('grant select on public.%I to authenticated, service_role', v);
  end loop;
  for v in select p.oid::regprocedure::text from pg_catalog.pg_proc p join public.insights i on i.name = p.proname
           where p.pronamespace = 'public'::regnamespace loop
    execute 'revoke all on function ' || v || ' from public, anon';
    execute 'grant execute on function ' || v || ' to authenticated, service_role';
  end loop;
end
$$;
revoke all on function public.forget_inactive_devices_v1(jsonb) from public, anon;
grant execute on function public.forget_inactive_devices_v1(jsonb) to authenticated, service_role;
