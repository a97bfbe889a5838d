-- What is calculated from sales: set-based, for the customers whose sales changed, by upsert: readers never see a gap. Ages are never
-- stored; views compute them from dates when they are read.

create table private.calculated (
  name text primary key,
  watermark timestamptz not null,               -- transactions.updated_at up to which the result holds
  calculated_at timestamptz not null default now(),
  rows integer not null
);
alter table private.calculated enable row level security;

-- Sales in the shop's time. Refunds and sales that were not completed are left out.
create view public.sales with (security_invoker = true) as
select t.id, t.transaction_id, t.customer_id, t.date, t.date at time zone s.time_zone as local_time,
       (t.date at time zone s.time_zone)::date as local_day,
       t.total_amount, t.total_tax, t.discounts, t.shop_location, t.staff_name, t.terminal, t.payment_type, t.updated_at
from public.transactions t cross join public.shop_settings s
where t.status = any (s.sale_statuses) and t.total_amount > 0;
comment on view public.sales is 'Completed sales with the shop''s local time and day. Every revenue insight reads this.';

create view public.sale_lines with (security_invoker = true) as
select i.id, i.transaction_id, t.customer_id, (t.date at time zone s.time_zone)::date as local_day, t.date,
       coalesce(nullif(i.product_sku, ''), 'name:' || lower(i.product_name)) as product_key,
       i.product_sku, i.product_name, i.brand, i.category, i.strain, i.quantity, i.unit_price, i.total_price, i.thc_content, i.cbd_content
from public.transaction_items i
join public.transactions t on t.transaction_id = i.transaction_id
cross join public.shop_settings s
where t.status = any (s.sale_statuses) and t.total_amount > 0;
comment on view public.sale_lines is 'Lines of completed sales. product_key is the SKU, or the name where the till gave none.';

-- Today in the shop.
create function public.shop_today() returns date
language sql stable set search_path = '' as $$
  select (now() at time zone s.time_zone)::date from public.shop_settings s
$$;

-- A phone number in E.164: +1 555... from any usual way of writing it; null when it cannot be one.
create function public.normal_phone(number text) returns text
language sql stable set search_path = '' as $$
  select case
    when d.digits = '' then null
    when btrim(number) ~ '^(\+|00)' then case when length(ltrim(d.digits, '0')) between 8 and 15 then '+' || ltrim(d.digits, '0') end
    when s.region_code = '1' and length(d.digits) = 11 and left(d.digits, 1) = '1' then '+' || d.digits
    when s.region_code = '1' then case when length(d.digits) = 10 then '+1' || d.digits end
    when length(s.region_code || ltrim(d.digits, '0')) between 8 and 15 then '+' || s.region_code || ltrim(d.digits, '0') end
  from public.shop_settings s, lateral (select regexp_replace(number, '[^0-9]', '', 'g') as digits) d
  where number !~ '[A-Za-z*#]'
$$;

create view public.customer_profiles with (security_invoker = true) as
select c.*, (now() at time zone s.time_zone)::date - c.last_visited as days_since,
  case when c.total_visits >= s.vip_visits then 'VIP' when c.total_visits >= s.regular_visits then 'Regular'
    when c.total_visits >= s.casual_visits then 'Casual' else 'New' end as customer_segment,
  case when c.last_visited is null then 'Unknown'
    when (now() at time zone s.time_zone)::date - c.last_visited >= s.churn_high_days then 'High'
    when (now() at time zone s.time_zone)::date - c.last_visited >= s.churn_medium_days then 'Medium' else 'Low' end as churn,
  case when c.last_visited is null then 'Unknown'
    when (now() at time zone s.time_zone)::date - c.last_visited > s.churn_critical_days then 'Critical'
    when (now() at time zone s.time_zone)::date - c.last_visited >= s.churn_high_days then 'High'
    when (now() at time zone s.time_zone)::date - c.last_visited >= s.churn_medium_days then 'Medium' else 'Low' end as churn_level
from public.customers c cross join public.shop_settings s;
comment on view public.customer_profiles is 'Customers with segment, days since the last visit and churn as of now.';

-- Customers whose sales changed since the last run; all of them when `everything`.
create function private.changed_customers(name text, everything boolean) returns table (customer_id text)
language sql stable set search_path = '' as $$
  select distinct t.customer_id from public.transactions t
  where t.customer_id is not null
    and (everything or t.updated_at > coalesce((select c.watermark - interval '5 minutes' from private.calculated c
                                                where c.name = changed_customers.name), '-infinity'))
$$;

create function private.note_calculated(which text, made integer, seen timestamptz) returns void
language sql set search_path = '' as $$
  insert into private.calculated as c (name, watermark, rows) values (which, seen, made)
  on conflict (name) do update set watermark = excluded.watermark, calculated_at = clock_timestamp(), rows = excluded.rows
$$;

-- Visits are distinct local days; lifetime value is sales less refunds.
create function private.calculate_customers(everything boolean) returns integer
language plpgsql set search_path = '' as $$
declare n integer; seen timestamptz := clock_timestamp();
begin
  with changed as materialized (select customer_id from private.changed_customers('customers', everything)),
  sums as (
    select c.customer_id, coalesce(v.visits, 0) as visits, coalesce(v.sales, 0) as sales, coalesce(v.gross, 0) as gross,
           coalesce(r.refunds, 0) as refunds, coalesce(r.refunded, 0) as refunded, v.last_day
    from changed c
    left join (select s.customer_id, count(distinct s.local_day) as visits, count(*) as sales, sum(s.total_amount) as gross,
                      max(s.local_day) as last_day
               from public.sales s join changed using (customer_id) group by s.customer_id) v using (customer_id)
    left join (select t.customer_id, count(*) as refunds, sum(abs(t.total_amount)) as refunded
               from public.transactions t join changed using (customer_id)
               where t.status = 'Refund' or t.trans_type = 'Refund' group by t.customer_id) r using (customer_id))
  update public.customers u set
    total_visits = s.visits, total_sales = s.sales, gross_sales = s.gross, gross_refunds = s.refunded, total_refunds = s.refunds,
    lifetime_value = s.gross - s.refunded, avg_sale_value = case when s.sales > 0 then round(s.gross / s.sales, 2) else 0 end,
    last_visited = coalesce(s.last_day, u.last_visited),
    vip_status = case when s.visits >= g.vip_visits then 'VIP' when s.visits >= g.regular_visits then 'Regular'
      when s.visits >= g.casual_visits then 'Casual' else 'New' end
  from sums s, public.shop_settings g
  where u.member_id = s.customer_id
    and (u.total_visits, u.total_sales, u.gross_sales, u.gross_refunds, u.total_refunds, u.last_visited)
        is distinct from (s.visits, s.sales, s.gross, s.refunded, s.refunds, coalesce(s.last_day, u.last_visited));
  get diagnostics n = row_count;
  perform private.note_calculated('customers', n, seen);
  return n;
end
$$;

-- At least three visits make a pattern. Consistency is 1 - sd/mean of the gaps, cut to 0..1.
create function private.calculate_visit_patterns(everything boolean) returns integer
language plpgsql set search_path = '' as $$
declare n integer; seen timestamptz := clock_timestamp();
begin
  with changed as materialized (select customer_id from private.changed_customers('visit_patterns', everything)),
  days as (select distinct s.customer_id, s.local_day from public.sales s join changed using (customer_id)),
  gaps as (select d.customer_id, d.local_day, d.local_day - lag(d.local_day) over (partition by d.customer_id order by d.local_day) as gap from days d),
  made as (
    select g.customer_id, avg(g.gap) as mean, stddev_samp(g.gap) as sd, max(g.gap) as longest, min(g.gap) as shortest,
           count(*) as visits, max(g.local_day) as last_day, (array_agg(g.gap order by g.local_day desc))[1] as last_gap
    from gaps g group by g.customer_id having count(*) >= 3)
  insert into public.customer_visit_patterns as p
    (customer_id, avg_days_between_visits, visit_consistency_score, predicted_next_visit, last_visit_deviation_from_avg,
     longest_gap_days, shortest_gap_days, total_visits)
  select m.customer_id, round(m.mean, 2), round(greatest(0, least(1, 1 - m.sd / m.mean)), 3), m.last_day + round(m.mean)::integer,
         round(m.last_gap - m.mean, 2), m.longest, m.shortest, m.visits
  from made m
  on conflict (customer_id) do update set
    avg_days_between_visits = excluded.avg_days_between_visits, visit_consistency_score = excluded.visit_consistency_score,
    predicted_next_visit = excluded.predicted_next_visit, last_visit_deviation_from_avg = excluded.last_visit_deviation_from_avg,
    longest_gap_days = excluded.longest_gap_days, shortest_gap_days = excluded.shortest_gap_days, total_visits = excluded.total_visits
  where (p.avg_days_between_visits, p.predicted_next_visit, p.total_visits, p.visit_consistency_score)
        is distinct from (excluded.avg_days_between_visits, excluded.predicted_next_visit, excluded.total_visits, excluded.visit_consistency_score);
  get diagnostics n = row_count;
  delete from public.customer_visit_patterns p  -- sales that were taken back
  using private.changed_customers('visit_patterns', everything) c
  where p.customer_id = c.customer_id
    and (select count(distinct s.local_day) from public.sales s where s.customer_id = p.customer_id) < 3;
  perform private.note_calculated('visit_patterns', n, seen);
  return n;
end
$$;

-- Counted in sales, not lines; the repurchase rate is the share of later visits that bought it again.
create function private.calculate_affinity(everything boolean) returns integer
language plpgsql set search_path = '' as $$
declare n integer; seen timestamptz := clock_timestamp();
begin
  with changed as materialized (select customer_id from private.changed_customers('affinity', everything)),
  days as (select distinct s.customer_id, s.local_day from public.sales s join changed using (customer_id)),
  numbered as (select d.customer_id, d.local_day, row_number() over (partition by d.customer_id order by d.local_day) as visit,
                      count(*) over (partition by d.customer_id) as visits from days d),
  bought as (
    select l.customer_id, l.product_sku, (array_agg(l.product_name order by l.date desc))[1] as product_name,
           (array_agg(l.category order by l.date desc))[1] as category, (array_agg(l.brand order by l.date desc))[1] as brand,
           count(distinct l.transaction_id) as purchases, count(distinct l.local_day) as purchase_days, sum(l.total_price) as spent,
           avg(l.unit_price) as price, min(l.local_day) as first_day, max(l.local_day) as last_day
    from public.sale_lines l join changed using (customer_id)
    where l.product_sku <> '' group by l.customer_id, l.product_sku),
  made as materialized (
    select b.*, coalesce(least(1, (b.purchase_days - 1)::numeric / nullif(v.visits - v.visit, 0)), 0) as rate
    from bought b join numbered v on v.customer_id = b.customer_id and v.local_day = b.first_day),
  gone as (
    delete from public.customer_product_affinity a using changed c
    where a.customer_id = c.customer_id
      and not exists (select 1 from made m where m.customer_id = a.customer_id and m.product_sku = a.product_sku)
    returning 1),
  kept as (
    insert into public.customer_product_affinity as a
      (customer_id, product_sku, product_name, category, brand, purchase_count, total_spent, avg_price_paid, repurchase_rate, last_purchased)
    select m.customer_id, m.product_sku, m.product_name, m.category, m.brand, m.purchases, m.spent, round(m.price, 2), round(m.rate, 3),
           m.last_day
    from made m
    on conflict (customer_id, product_sku) do update set
      product_name = excluded.product_name, category = excluded.category, brand = excluded.brand, purchase_count = excluded.purchase_count,
      total_spent = excluded.total_spent, avg_price_paid = excluded.avg_price_paid, repurchase_rate = excluded.repurchase_rate,
      last_purchased = excluded.last_purchased
    where (a.purchase_count, a.total_spent, a.repurchase_rate, a.last_purchased, a.product_name, a.category, a.brand) is distinct from
          (excluded.purchase_count, excluded.total_spent, excluded.repurchase_rate, excluded.last_purchased, excluded.product_name,
           excluded.category, excluded.brand)
    returning 1)
  select (select count(*) from kept) + (select count(*) from gone) into n;
  perform private.note_calculated('affinity', n, seen);
  return n;
end
$$;

create function private.calculate_staff() returns integer
language plpgsql set search_path = '' as $$
declare n integer; seen timestamptz := clock_timestamp();
begin
  insert into public.staff as f (staff_name, shop_location, total_transactions, total_sales, avg_transaction_value)
  select s.staff_name, coalesce(s.shop_location, ''), count(*), sum(s.total_amount), round(avg(s.total_amount), 2)
  from public.sales s where s.staff_name <> '' group by 1, 2
  on conflict (staff_name, shop_location) do update set total_transactions = excluded.total_transactions,
    total_sales = excluded.total_sales, avg_transaction_value = excluded.avg_transaction_value
  where (f.total_transactions, f.total_sales) is distinct from (excluded.total_transactions, excluded.total_sales);
  get diagnostics n = row_count;
  perform private.note_calculated('staff', n, seen);
  return n;
end
$$;

-- Baskets of 2 to 50 different products: what is larger is no basket but a delivery.
create function private.calculate_product_pairs() returns integer
language plpgsql set search_path = '' as $$
declare n integer; seen timestamptz := clock_timestamp();
begin
  with baskets as (
    select l.transaction_id, array_agg(distinct l.product_sku order by l.product_sku) as skus
    from public.sale_lines l where l.product_sku <> '' group by l.transaction_id having count(distinct l.product_sku) between 2 and 50),
  made as materialized (
    select a.sku as sku_1, b.sku as sku_2, count(*)::integer as baskets
    from baskets k, unnest(k.skus) with ordinality a (sku, i), unnest(k.skus) with ordinality b (sku, j)
    where a.i < b.j group by a.sku, b.sku),
  gone as (
    delete from public.product_pairs p where not exists (select 1 from made m where m.sku_1 = p.sku_1 and m.sku_2 = p.sku_2) returning 1),
  kept as (
    insert into public.product_pairs as p select m.sku_1, m.sku_2, m.baskets from made m
    on conflict (sku_1, sku_2) do update set baskets = excluded.baskets where p.baskets <> excluded.baskets returning 1)
  select (select count(*) from kept) + (select count(*) from gone) into n;
  perform private.note_calculated('product_pairs', n, seen);
  return n;
end
$$;

-- A lead whose number is a customer's is warm, and linked; chances follow.
create function private.calculate_leads() returns integer
language plpgsql set search_path = '' as $$
declare n integer; seen timestamptz := clock_timestamp();
begin
  update public.leads l set customer_id = c.member_id, conversion_probability = greatest(l.conversion_probability, 0.8),
    lead_status = case when l.lead_status = 'new' then 'warm' else l.lead_status end
  from (select distinct on (phone) phone, member_id from public.customers where phone <> '' order by phone, last_visited desc nulls last, id) c
  where c.phone = l.phone_number and l.customer_id is null;
  get diagnostics n = row_count;
  perform private.note_calculated('leads', n, seen);
  return n;
end
$$;

-- One run at a time. {"everything": true} recalculates all customers, not only those whose sales changed.
create function public.recalculate_v1(p jsonb default '{}') returns jsonb
language plpgsql security definer set search_path = '' as $$
declare everything boolean := coalesce((p ->> 'everything')::boolean, false);
begin
  if private.jwt() ? 'sub' and not private.has_role('admin') then
    raise exception 'only an administrator may recalculate' using errcode = '42501';
  end if;
  if not pg_try_advisory_xact_lock(727274, 1) then
    raise exception 'another recalculation is running' using errcode = '55P03';
  end if;
  return jsonb_build_object(
    'customers', private.calculate_customers(everything), 'visit_patterns', private.calculate_visit_patterns(everything),
    'affinity', private.calculate_affinity(everything), 'staff', private.calculate_staff(),
    'product_pairs', private.calculate_product_pairs(), 'leads', private.calculate_leads());
end
$$;

-- Every quarter of an hour where pg_cron is there; elsewhere conductor-crm or a timer calls recalculate_v1.
do $$
begin
  if exists (select 1 from pg_extension where extname = 'pg_cron') then
    perform cron.schedule('conductor-recalculate', '*/15 * * * *', 'select public.recalculate_v1()');
  else
    raise notice 'pg_cron is not installed: call recalculate_v1 by a timer';
  end if;
end
$$;

-- What an agent that answers messages should know of a number, in one read.
create view public.customer_sms_context with (security_invoker = true) as
select c.member_id, c.name, c.phone, c.email, c.loyalty_points, c.total_visits, c.lifetime_value, c.avg_sale_value,
  c.customer_segment as vip_status, c.last_visited, c.days_since as days_since_last_visit, c.churn as churn_risk,
  f.favorite_products, f.favorite_category, r.recent_purchases, r.last_purchase_date, h.preferred_location, h.preferred_payment
from public.customer_profiles c
left join lateral (
  select jsonb_agg(jsonb_build_object('product_name', x.product_name, 'category', x.category, 'purchase_count', x.purchase_count)
           order by x.purchase_count desc, x.total_spent desc) as favorite_products,
         (array_agg(x.category order by x.purchase_count desc, x.total_spent desc))[1] as favorite_category
  from (select a.product_name, a.category, a.purchase_count, a.total_spent from public.customer_product_affinity a
        where a.customer_id = c.member_id order by a.purchase_count desc, a.total_spent desc limit 3) x) f on true
left join lateral (
  select jsonb_agg(jsonb_build_object('product_name', x.product_name, 'category', x.category, 'date', x.date, 'total_price', x.total_price)
           order by x.date desc) as recent_purchases,
         max(x.date) as last_purchase_date
  from (select i.product_name, i.category, t.date, i.total_price from public.transactions t
        join public.transaction_items i on i.transaction_id = t.transaction_id
        where t.customer_id = c.member_id and t.total_amount > 0 order by t.date desc, i.id limit 3) x) r on true
left join lateral (
  select mode() within group (order by t.shop_location) as preferred_location,
         mode() within group (order by t.payment_type) as preferred_payment
  from public.transactions t where t.customer_id = c.member_id and t.total_amount > 0) h on true
where c.phone <> '';
comment on view public.customer_sms_context is 'By phone number (E.164); a shared phone gives a row for each customer.';

grant select on public.sales, public.sale_lines, public.customer_profiles, public.customer_sms_context to authenticated, service_role;
revoke all on function public.recalculate_v1(jsonb), public.shop_today(), public.normal_phone(text) from public, anon;
grant execute on function public.recalculate_v1(jsonb), public.shop_today(), public.normal_phone(text) to authenticated, service_role;
revoke all on all functions in schema private from public;
