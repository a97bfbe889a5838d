-- The named insights of customers, sales, products and visits: a view or a function each, listed with its number in insights.
-- Money comes from sales (completed, refunds out, the shop's days); ages are as of now; empty values have a band of their own.

create table public.insights (
  name text primary key,
  numbers text[] not null,                      -- S0-Q1 ..., of the system's reference
  area text not null,
  parameters text[] not null default '{}',      -- of a function; a view has none
  description text not null
);
comment on table public.insights is 'What conductor-crm insight runs: name is a view, or a function where it has parameters.';
alter table public.insights enable row level security;
revoke all on public.insights from public, anon, authenticated;
grant select on public.insights to authenticated, service_role;
create policy read_staff on public.insights for select to authenticated using ((select private.has_role('viewer', 'reviewer', 'admin', 'agent')));

-- Customers ---------------------------------------------------------------------------------------------------------------------------
create view public.vip_customers with (security_invoker = true) as
select member_id, name, lifetime_value, total_visits, last_visited from public.customer_profiles
where customer_segment = 'VIP' order by lifetime_value desc nulls last, member_id;

create view public.high_churn_customers with (security_invoker = true) as
select member_id, name, days_since, lifetime_value, churn, churn_level from public.customer_profiles
where churn = 'High' order by lifetime_value desc nulls last, member_id;

create view public.new_customers with (security_invoker = true) as
select member_id, name, date_joined, total_visits, lifetime_value from public.customers
where date_joined >= public.shop_today() - 30 order by date_joined desc, member_id;

create view public.ltv_distribution with (security_invoker = true) as
select b.band, count(*) as customers, round(avg(c.lifetime_value), 2) as avg_ltv, sum(c.lifetime_value) as total_ltv
from public.customers c, lateral (select case
    when c.total_sales = 0 and c.lifetime_value = 0 then 'no sales' when c.lifetime_value < 0 then 'below 0'
    when c.lifetime_value < 100 then '0 to 100' when c.lifetime_value < 500 then '100 to 500' when c.lifetime_value < 1000 then '500 to 1000'
    when c.lifetime_value < 2500 then '1000 to 2500' else '2500 and more' end as band) b
group by b.band order by min(c.lifetime_value), b.band;

create view public.favorite_products with (security_invoker = true) as
select c.member_id, c.name, a.product_sku, a.product_name, a.purchase_count, a.total_spent, a.last_purchased
from public.customer_product_affinity a join public.customers c on c.member_id = a.customer_id
where a.purchase_count >= 2 order by a.purchase_count desc, a.total_spent desc, c.member_id;

create view public.customers_by_segment with (security_invoker = true) as
select customer_segment, count(*) as customers, round(avg(lifetime_value), 2) as avg_ltv, round(avg(total_visits), 2) as avg_visits,
       round(avg(days_since), 1) as avg_days_since
from public.customer_profiles group by customer_segment order by avg_ltv desc nulls last, customer_segment;

create view public.customers_by_state with (security_invoker = true) as
select upper(btrim(state)) as state, count(*) as customers, round(avg(lifetime_value), 2) as avg_ltv, sum(lifetime_value) as total_ltv
from public.customers where btrim(state) <> '' group by 1 order by customers desc, state;

create view public.customers_by_zip with (security_invoker = true) as
select left(btrim(zip_code), 5) as zip_code, count(*) as customers, round(avg(lifetime_value), 2) as avg_ltv
from public.customers where btrim(zip_code) <> '' group by 1 order by customers desc, zip_code limit 20;

create view public.churn_prediction with (security_invoker = true) as
select member_id, name, phone, days_since, lifetime_value, total_visits, churn_level
from public.customer_profiles where churn = 'High' order by days_since desc, lifetime_value desc, member_id;

create view public.top_customers with (security_invoker = true) as
select member_id, name, lifetime_value, total_visits, last_visited from public.customers
order by lifetime_value desc nulls last, member_id limit 10;

create function public.customer_by_phone(number text) returns setof public.customer_profiles
language sql stable set search_path = '' as $$
  select * from public.customer_profiles c where c.phone = public.normal_phone(number) order by c.last_visited desc nulls last, c.member_id
$$;

create function public.purchase_history(number text)
returns table (member_id text, transaction_id text, date timestamptz, shop_location text, total_amount numeric, status text,
               product_sku text, product_name text, quantity numeric, unit_price numeric, total_price numeric)
language sql stable set search_path = '' as $$
  select c.member_id, t.transaction_id, t.date, t.shop_location, t.total_amount, t.status, i.product_sku, i.product_name, i.quantity,
         i.unit_price, i.total_price
  from public.customers c
  join public.transactions t on t.customer_id = c.member_id
  left join public.transaction_items i on i.transaction_id = t.transaction_id
  where c.phone = public.normal_phone(number) order by t.date desc, t.transaction_id, i.id
$$;

-- What others with the same favourite buy comes first when the customer has not bought it yet; products that left are not proposed.
create function public.product_recommendations(customer text)
returns table (product_sku text, product_name text, reason text, weight numeric)
language sql stable set search_path = '' as $$
  with mine as (select a.* from public.customer_product_affinity a where a.customer_id = customer),
  again as (select m.product_sku, m.purchase_count::numeric as weight, 'bought before'::text as reason from mine m),
  near as (
    select n.sku as product_sku, sum(n.baskets)::numeric as weight, 'bought together with a favourite'::text as reason
    from (select m.product_sku from mine m order by m.purchase_count desc, m.total_spent desc limit 3) f,
      lateral (select p.sku_2 as sku, p.baskets from public.product_pairs p where p.sku_1 = f.product_sku
               union all select p.sku_1, p.baskets from public.product_pairs p where p.sku_2 = f.product_sku) n
    where not exists (select 1 from mine m where m.product_sku = n.sku) group by n.sku)
  select x.product_sku, p.name, x.reason, x.weight
  from (select *, row_number() over (partition by reason order by weight desc, product_sku) as place from (select * from again union all select * from near) y) x
  join public.products p on p.sku = x.product_sku and p.is_active
  where x.place <= 5 order by x.reason, x.weight desc, x.product_sku
$$;

create view public.marketing_sources with (security_invoker = true) as
select coalesce(nullif(btrim(marketing_source), ''), 'unknown') as marketing_source, count(*) as customers,
       round(avg(lifetime_value), 2) as avg_ltv, round(avg(total_visits), 2) as avg_visits,
       round(100.0 * count(*) filter (where churn = 'High') / count(*), 1) as high_churn_percent
from public.customer_profiles group by 1 order by customers desc, marketing_source;

create view public.churn_distribution with (security_invoker = true) as
select churn_level, count(*) as customers, sum(lifetime_value) as lifetime_value from public.customer_profiles
group by churn_level order by min(days_since) nulls last;

create view public.win_back with (security_invoker = true) as
select w.member_id, w.name, w.phone, w.days_since, w.lifetime_value, w.total_visits,
  round((40 * w.value + 25 * w.visits + 25 * greatest(0, 1 - (w.days_since - 30) / 150.0) + 10 * w.points)::numeric, 1) as score,
  w.top_category, case w.top_category when 'Vapes' then '20 % off' when 'Edibles' then 'buy 2 get 1' else '10 off' end as offer
from (
  select c.*, percent_rank() over (order by c.lifetime_value) as value, percent_rank() over (order by c.total_visits) as visits,
    percent_rank() over (order by c.loyalty_points) as points,
    (select a.category from public.customer_product_affinity a where a.customer_id = c.member_id
     group by a.category order by sum(a.purchase_count) desc, a.category limit 1) as top_category
  from public.customer_profiles c
  where c.churn in ('High', 'Medium') and c.phone <> ''
    and not exists (select 1 from public.opt_outs o where o.phone_number = c.phone and o.active)) w
order by score desc, w.member_id limit 500;

-- Sales -------------------------------------------------------------------------------------------------------------------------------
create view public.monthly_revenue with (security_invoker = true) as
select date_trunc('month', local_day)::date as month, count(*) as transactions, sum(total_amount) as revenue,
       round(avg(total_amount), 2) as avg_transaction, sum(total_tax) as total_tax
from public.sales group by 1 order by 1 desc;

create view public.daily_revenue with (security_invoker = true) as
select local_day as sale_date, count(*) as transactions, sum(total_amount) as revenue, round(avg(total_amount), 2) as avg_transaction
from public.sales where date >= (public.shop_today() - 31)::timestamptz and local_day > public.shop_today() - 30 group by 1 order by 1 desc;

create view public.payment_methods with (security_invoker = true) as
select coalesce(nullif(payment_type, ''), 'unknown') as payment_type, count(*) as transactions, sum(total_amount) as revenue,
       round(avg(total_amount), 2) as avg_transaction, round(100.0 * count(*) / sum(count(*)) over (), 2) as percent_of_transactions,
       round(100.0 * sum(total_amount) / nullif(sum(sum(total_amount)) over (), 0), 2) as percent_of_revenue
from public.sales group by 1 order by revenue desc, 1;

create view public.order_value_by_segment with (security_invoker = true) as
select case when c.lifetime_value is null then 'no data' when c.lifetime_value < 100 then 'low' when c.lifetime_value < 500 then 'medium'
         when c.lifetime_value < 2500 then 'high' else 'top' end as value_band,
       count(distinct s.customer_id) as customers, count(*) as transactions, round(avg(s.total_amount), 2) as avg_transaction,
       sum(s.total_amount) as revenue
from public.sales s join public.customers c on c.member_id = s.customer_id group by 1 order by avg_transaction desc;

create view public.top_staff with (security_invoker = true) as
select staff_name, shop_location, count(*) as transactions, sum(total_amount) as total_sales, round(avg(total_amount), 2) as avg_transaction,
       count(distinct customer_id) as unique_customers
from public.sales where staff_name <> '' group by staff_name, shop_location order by total_sales desc, staff_name;

create view public.staff_by_month with (security_invoker = true) as
select staff_name, date_trunc('month', local_day)::date as month, count(*) as transactions, sum(total_amount) as total_sales,
       round(avg(total_amount), 2) as avg_transaction
from public.sales where staff_name <> '' group by 1, 2 order by 2 desc, 4 desc, 1;

create view public.staff_productivity with (security_invoker = true) as
select staff_name, count(distinct local_day) as active_days, count(*) as transactions,
       round(count(*)::numeric / count(distinct local_day), 2) as transactions_per_day,
       round(sum(total_amount) / count(distinct local_day), 2) as sales_per_day
from public.sales where staff_name <> '' group by staff_name order by sales_per_day desc, staff_name;

create view public.revenue_by_location with (security_invoker = true) as
select shop_location, count(*) as transactions, sum(total_amount) as revenue, round(avg(total_amount), 2) as avg_transaction,
       count(distinct customer_id) as unique_customers
from public.sales where shop_location <> '' group by shop_location order by revenue desc, shop_location;

create view public.sales_today with (security_invoker = true) as
select d.day, count(s.id) as transactions, coalesce(sum(s.total_amount), 0) as revenue, round(avg(s.total_amount), 2) as avg_transaction,
       count(distinct s.customer_id) as unique_customers
from (values ('today', 0), ('yesterday', 1)) d (day, ago)
left join public.sales s on s.local_day = public.shop_today() - d.ago and s.date >= now() - interval '3 days'
group by d.day, d.ago order by d.ago;

create view public.visitors_today with (security_invoker = true) as
select count(distinct customer_id) as customers, count(*) filter (where customer_id is null) as walk_ins, coalesce(sum(total_amount), 0) as revenue
from public.sales where local_day = public.shop_today() and date >= now() - interval '2 days';

create view public.active_customers with (security_invoker = true) as
select d.days, count(distinct s.customer_id) as active_customers, count(s.id) as transactions, coalesce(sum(s.total_amount), 0) as revenue
from (values (7), (30)) d (days)
left join public.sales s on s.local_day > public.shop_today() - d.days and s.date >= now() - interval '32 days'
group by d.days order by d.days;

create view public.revenue_this_month with (security_invoker = true) as
select date_trunc('month', public.shop_today())::date as month, count(*) as transactions, coalesce(sum(total_amount), 0) as revenue
from public.sales where local_day >= date_trunc('month', public.shop_today())::date and date >= now() - interval '33 days';

create view public.weekly_revenue with (security_invoker = true) as
select date_trunc('week', local_day)::date as week, count(*) as transactions, sum(total_amount) as revenue,
       count(distinct customer_id) as customers
from public.sales group by 1 order by 1 desc;

create view public.seasonal_patterns with (security_invoker = true) as
select extract(month from local_time)::integer as month_of_year, extract(isodow from local_time)::integer as weekday,
       extract(hour from local_time)::integer as hour, count(*) as transactions, sum(total_amount) as revenue
from public.sales group by 1, 2, 3 order by 1, 2, 3;

create view public.transaction_frequency with (security_invoker = true) as
select case when f.per_30_days < 1 then 'below 1' when f.per_30_days < 2 then '1 to 2' when f.per_30_days < 4 then '2 to 4' else '4 and more' end
         as sales_per_30_days, count(*) as customers, round(avg(f.sales), 1) as avg_sales
from (select customer_id, count(*) as sales, 30.0 * count(*) / greatest(30, public.shop_today() - min(local_day)) as per_30_days
      from public.sales where customer_id is not null group by customer_id) f
group by 1 order by min(f.per_30_days);

-- Products ----------------------------------------------------------------------------------------------------------------------------
create view public.best_sellers_by_revenue with (security_invoker = true) as
select product_key, max(product_name) as product_name, max(brand) as brand, max(category) as category,
       count(distinct transaction_id) as transactions, sum(quantity) as units, sum(total_price) as revenue, round(avg(unit_price), 2) as avg_price
from public.sale_lines where product_key is not null group by product_key order by revenue desc, product_key limit 20;

create view public.best_sellers_by_volume with (security_invoker = true) as
select product_key, max(product_name) as product_name, max(brand) as brand, sum(quantity) as units,
       count(distinct transaction_id) as transactions, sum(total_price) as revenue
from public.sale_lines where product_key is not null group by product_key order by units desc, product_key limit 20;

create view public.category_revenue with (security_invoker = true) as
select coalesce(nullif(category, ''), 'unknown') as category, count(distinct product_sku) as products,
       count(distinct transaction_id) as transactions, sum(total_price) as revenue, round(avg(unit_price), 2) as avg_price
from public.sale_lines group by 1 order by revenue desc, 1;

create view public.category_trends with (security_invoker = true) as
select date_trunc('month', local_day)::date as month, coalesce(nullif(category, ''), 'unknown') as category,
       count(distinct transaction_id) as transactions, sum(total_price) as revenue
from public.sale_lines group by 1, 2 order by 1 desc, 4 desc, 2;

create view public.brand_performance with (security_invoker = true) as
select coalesce(nullif(brand, ''), 'unknown') as brand, count(distinct product_sku) as products,
       count(distinct transaction_id) as transactions, sum(total_price) as revenue
from public.sale_lines group by 1 order by revenue desc, 1 limit 20;

create function private.potency_band(value numeric) returns text
language sql immutable set search_path = '' as $$
  select case when value is null or value <= 0 then 'unknown' when value < 15 then 'below 15 %' when value < 20 then '15 to 20 %'
    when value < 25 then '20 to 25 %' when value < 30 then '25 to 30 %' else '30 % and more' end
$$;
grant execute on function private.potency_band(numeric) to authenticated, service_role;

create view public.thc_preferences with (security_invoker = true) as
select private.potency_band(l.thc_content) as thc_range, count(*) as lines, sum(l.total_price) as revenue
from public.sale_lines l, public.shop_settings s
where l.category = any (s.percent_categories) group by 1 order by min(nullif(l.thc_content, 0)) nulls last;

create view public.cbd_preferences with (security_invoker = true) as
select private.potency_band(l.cbd_content) as cbd_range, count(*) as lines, sum(l.total_price) as revenue
from public.sale_lines l, public.shop_settings s
where l.category = any (s.percent_categories) group by 1 order by min(nullif(l.cbd_content, 0)) nulls last;

create view public.strain_popularity with (security_invoker = true) as
select strain, count(*) as times_sold, sum(total_price) as revenue
from public.sale_lines where strain <> '' group by strain order by times_sold desc, strain limit 20;

create view public.price_points with (security_invoker = true) as
select coalesce(nullif(category, ''), 'unknown') as category, (floor(unit_price / 10) * 10)::integer as price_from, count(*) as lines,
       sum(total_price) as revenue
from public.sale_lines where unit_price is not null group by 1, 2 order by 1, 2;

create view public.catalog_prices with (security_invoker = true) as
select coalesce(nullif(category, ''), 'unknown') as category, count(*) as products, min(retail_price) as lowest,
       percentile_cont(0.5) within group (order by retail_price) as median, max(retail_price) as highest
from public.products where is_active and retail_price is not null group by 1 order by 1;

create view public.catalog_completeness with (security_invoker = true) as
select f.field, f.filled, f.products, round(100.0 * f.filled / nullif(f.products, 0), 1) as percent
from (select count(*) as products, count(nullif(name, '')) as n, count(nullif(brand, '')) as b, count(nullif(category, '')) as c,
             count(nullif(strain, '')) as s, count(thc_content) as t, count(leafly_description) as l, count(retail_price) as r,
             count(image_url) as i from public.products) x,
  lateral (values ('name', x.n, x.products), ('brand', x.b, x.products), ('category', x.c, x.products), ('strain', x.s, x.products),
           ('thc_content', x.t, x.products), ('leafly_description', x.l, x.products), ('retail_price', x.r, x.products),
           ('image_url', x.i, x.products)) f (field, filled, products)
order by percent desc, f.field;

create view public.rating_and_sales with (security_invoker = true) as
select case when p.leafly_rating is null then 'not rated' when p.leafly_rating < 3 then 'below 3' when p.leafly_rating < 4 then '3 to 4'
         when p.leafly_rating < 4.5 then '4 to 4.5' else '4.5 and more' end as rating,
       count(distinct p.sku) as products, coalesce(sum(l.revenue), 0) as revenue,
       round(coalesce(sum(l.revenue), 0) / count(distinct p.sku), 2) as revenue_per_product
from public.products p
left join (select product_sku, sum(total_price) as revenue from public.sale_lines group by product_sku) l on l.product_sku = p.sku
group by 1 order by min(p.leafly_rating) nulls last;

create view public.product_lifecycle with (security_invoker = true) as
select p.sku, p.name, p.is_active, l.first_sold, l.last_sold,
  case when l.first_sold is null then 'never sold' when l.first_sold > public.shop_today() - 30 then 'new'
    when not p.is_active or l.last_sold < public.shop_today() - 90 then 'fading' else 'current' end as stage
from public.products p
left join (select product_sku, min(local_day) as first_sold, max(local_day) as last_sold from public.sale_lines group by product_sku) l
  on l.product_sku = p.sku
order by l.last_sold desc nulls last, p.sku;

create view public.slow_movers with (security_invoker = true) as
select p.sku, p.name, p.category, p.retail_price, l.last_sold, coalesce(l.units, 0) as units_in_90_days
from public.products p
left join (select product_sku, max(local_day) as last_sold, sum(quantity) filter (where local_day > public.shop_today() - 90) as units
           from public.sale_lines group by product_sku) l on l.product_sku = p.sku
where p.is_active and coalesce(l.units, 0) < 3 order by units_in_90_days, l.last_sold nulls first, p.sku limit 500;

create view public.bought_together with (security_invoker = true) as
select b.sku_1, p1.name as product_1, b.sku_2, p2.name as product_2, b.baskets
from (select * from public.product_pairs order by baskets desc, sku_1, sku_2 limit 20) b
left join public.products p1 on p1.sku = b.sku_1 left join public.products p2 on p2.sku = b.sku_2
order by b.baskets desc, b.sku_1, b.sku_2;

create view public.category_combinations with (security_invoker = true) as
select a.c as category_1, b.c as category_2, count(*) as baskets
from (select transaction_id, array_agg(distinct category) as categories from public.sale_lines where category <> ''
      group by transaction_id having count(distinct category) > 1) k,
  unnest(k.categories) a (c), unnest(k.categories) b (c)
where a.c < b.c group by 1, 2 order by baskets desc, 1, 2 limit 20;

create view public.segment_products with (security_invoker = true) as
select x.customer_segment, x.product_sku, x.product_name, x.purchases, x.spent
from (select c.customer_segment, a.product_sku, max(a.product_name) as product_name, sum(a.purchase_count) as purchases, sum(a.total_spent) as spent,
             row_number() over (partition by c.customer_segment order by sum(a.purchase_count) desc, a.product_sku) as place
      from public.customer_product_affinity a join public.customer_profiles c on c.member_id = a.customer_id
      group by c.customer_segment, a.product_sku) x
where x.place <= 10 order by x.customer_segment, x.place;

create view public.customer_preferences with (security_invoker = true) as
with category_median as (select category, percentile_cont(0.5) within group (order by avg_price_paid) as price
                         from public.customer_product_affinity group by category),
brands as (select customer_id, brand, sum(purchase_count) as n, row_number() over (partition by customer_id order by sum(purchase_count) desc, brand) as place
           from public.customer_product_affinity group by customer_id, brand),
categories as (select customer_id, category, sum(purchase_count) as n,
                      row_number() over (partition by customer_id order by sum(purchase_count) desc, category) as place
               from public.customer_product_affinity group by customer_id, category),
totals as (select a.customer_id, sum(a.purchase_count) as n, count(*) as products, count(*) filter (where a.purchase_count > 1) as repeated,
                  avg(a.avg_price_paid / nullif(m.price, 0)) as price_level
           from public.customer_product_affinity a left join category_median m on m.category is not distinct from a.category group by a.customer_id)
select t.customer_id, b.brand as top_brand, round(100.0 * b.n / t.n, 1) as brand_loyalty_percent, c.category as top_category,
       round(100.0 * c.n / t.n, 1) as category_percent, round(t.price_level::numeric, 2) as price_level,
       round(100.0 * t.repeated / t.products, 1) as repeat_percent
from totals t join brands b on b.customer_id = t.customer_id and b.place = 1 join categories c on c.customer_id = t.customer_id and c.place = 1
where t.n > 0;

-- Visits ------------------------------------------------------------------------------------------------------------------------------
create view public.visit_consistency with (security_invoker = true) as
select case when visit_consistency_score is null then 'no data' when visit_consistency_score < 0.3 then 'low'
         when visit_consistency_score < 0.6 then 'medium' else 'high' end as consistency,
       count(*) as customers, round(avg(avg_days_between_visits), 1) as avg_days_between, round(avg(total_visits), 1) as avg_visits
from public.customer_visit_patterns group by 1 order by min(visit_consistency_score) nulls last;

create view public.predicted_visits with (security_invoker = true) as
select c.member_id, c.name, c.phone, v.predicted_next_visit, v.avg_days_between_visits, c.days_since, c.lifetime_value,
       v.predicted_next_visit < public.shop_today() as overdue
from public.customer_visit_patterns v join public.customer_profiles c on c.member_id = v.customer_id
where v.predicted_next_visit between public.shop_today() - 14 and public.shop_today() + 7
order by v.predicted_next_visit, c.member_id;

create view public.next_purchases with (security_invoker = true) as
select c.member_id, c.name, c.phone, v.predicted_next_visit, v.avg_days_between_visits, c.days_since, c.lifetime_value, f.product_name as favorite_product
from public.customer_visit_patterns v
join public.customer_profiles c on c.member_id = v.customer_id
left join lateral (select a.product_name from public.customer_product_affinity a where a.customer_id = c.member_id
                   order by a.purchase_count desc, a.total_spent desc, a.product_sku limit 1) f on true
where v.predicted_next_visit between public.shop_today() and public.shop_today() + 14 order by v.predicted_next_visit, c.member_id;

create view public.overdue_ratio with (security_invoker = true) as
select c.member_id, c.name, c.days_since, v.avg_days_between_visits, round(c.days_since / nullif(v.avg_days_between_visits, 0), 2) as overdue_ratio,
       c.lifetime_value
from public.customer_visit_patterns v join public.customer_profiles c on c.member_id = v.customer_id
where c.days_since is not null order by overdue_ratio desc nulls last, c.member_id;

create view public.lifecycle_stages with (security_invoker = true) as
select s.stage, count(*) as customers, round(avg(s.lifetime_value), 2) as avg_ltv
from (select c.lifetime_value, case when c.last_visited is null then 'never visited' when c.total_visits < 2 and c.days_since <= 30 then 'new'
        when c.total_visits < 2 then 'one visit'
        when c.days_since > 3 * coalesce(v.avg_days_between_visits, 30) then 'lost'
        when c.days_since > 1.5 * coalesce(v.avg_days_between_visits, 30) then 'slipping' else 'active' end as stage
      from public.customer_profiles c left join public.customer_visit_patterns v on v.customer_id = c.member_id) s
group by s.stage order by customers desc, s.stage;

-- The last visit of each customer against what the visits before it foretold.
create view public.visit_prediction_accuracy with (security_invoker = true) as
with days as (select distinct customer_id, local_day from public.sales where customer_id is not null),
gaps as (select customer_id, local_day, local_day - lag(local_day) over w as gap, row_number() over (partition by customer_id order by local_day desc) as from_last
         from days window w as (partition by customer_id order by local_day)),
judged as (select customer_id, max(gap) filter (where from_last = 1) as last_gap, avg(gap) filter (where from_last > 1) as foretold
           from gaps group by customer_id having count(*) >= 4)
select count(*) as customers, round(avg(abs(last_gap - foretold)), 1) as mean_error_days,
       percentile_cont(0.5) within group (order by abs(last_gap - foretold)) as median_error_days,
       round(100.0 * count(*) filter (where abs(last_gap - foretold) <= 3) / nullif(count(*), 0), 1) as within_3_days_percent
from judged;
