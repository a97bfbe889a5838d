-- The shop's day of each sale is kept with the sale and with its lines, so that no insight reckons it anew for every row it reads. And whose
-- sales changed is noted in the transaction that changes them: no import is too slow, and no line too late, to be calculated.

alter table public.transactions
  add column sold_local timestamp,  -- the shop's time of a sale that counts, else null
  add column sold_on date;          -- its day; both are set by trigger
alter table public.transaction_items add column sold_on date;

create function private.set_sold() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  select case when new.status = any (s.sale_statuses) and new.total_amount > 0 then new.date at time zone s.time_zone end
    into new.sold_local from public.shop_settings s;
  new.sold_on := new.sold_local::date;
  return new;
end
$$;
create trigger sold before insert or update of status, date, total_amount, sold_local, sold_on on public.transactions
  for each row execute function private.set_sold();

-- FOR SHARE: a change of the sale waits for its new lines, or they for it.
create function private.set_sold_on() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  select t.sold_on into new.sold_on from public.transactions t where t.transaction_id = new.transaction_id for share;
  return new;
end
$$;
create trigger sold before insert or update of transaction_id, sold_on on public.transaction_items
  for each row execute function private.set_sold_on();

-- Whose figures are to be calculated anew. Rows are only added, and taken by recalculate_v1: what commits later is taken later.
create table private.stale_customers (
  id bigint generated always as identity primary key,
  customer_id text not null
);
alter table private.stale_customers enable row level security;

create function private.sales_added() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.stale_customers (customer_id) select distinct n.customer_id from new_rows n where n.customer_id is not null;
  return null;
end
$$;
-- EXECUTE: planned for each statement, of one row or of all.
create function private.sales_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  execute $q$update public.transaction_items i set sold_on = n.sold_on
    from new_rows n join old_rows o using (id)
    where i.transaction_id = n.transaction_id and n.sold_on is distinct from o.sold_on$q$;
  insert into private.stale_customers (customer_id)
    select n.customer_id from new_rows n where n.customer_id is not null union select o.customer_id from old_rows o where o.customer_id is not null;
  return null;
end
$$;
create function private.sales_removed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.stale_customers (customer_id) select distinct o.customer_id from old_rows o where o.customer_id is not null;
  return null;
end
$$;
create trigger changed_insert after insert on public.transactions
  referencing new table as new_rows for each statement execute function private.sales_added();
create trigger changed_update after update on public.transactions
  referencing new table as new_rows old table as old_rows for each statement execute function private.sales_changed();
create trigger changed_delete after delete on public.transactions
  referencing old table as old_rows for each statement execute function private.sales_removed();

create function private.lines_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  execute format($q$insert into private.stale_customers (customer_id)
    select distinct t.customer_id from public.transactions t
    where t.customer_id is not null and t.transaction_id in (%s)$q$,
    case tg_op when 'INSERT' then 'select transaction_id from new_rows' when 'DELETE' then 'select transaction_id from old_rows'
      else 'select transaction_id from new_rows union select transaction_id from old_rows' end);
  return null;
end
$$;
create trigger changed_insert after insert on public.transaction_items
  referencing new table as new_rows for each statement execute function private.lines_changed();
create trigger changed_update after update on public.transaction_items
  referencing new table as new_rows old table as old_rows for each statement execute function private.lines_changed();
create trigger changed_delete after delete on public.transaction_items
  referencing old table as old_rows for each statement execute function private.lines_changed();

-- Another time zone or list of statuses moves every sale, another tier every customer.
create function private.settings_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if (new.time_zone, new.sale_statuses) is distinct from (old.time_zone, old.sale_statuses) then
    update public.transactions t set sold_local = null
      where t.sold_local is distinct from
        case when t.status = any (new.sale_statuses) and t.total_amount > 0 then t.date at time zone new.time_zone end;
  end if;
  if (new.vip_visits, new.regular_visits, new.casual_visits) is distinct from (old.vip_visits, old.regular_visits, old.casual_visits) then
    insert into private.stale_customers (customer_id) select distinct t.customer_id from public.transactions t where t.customer_id is not null;
  end if;
  return null;
end
$$;
create trigger changed after update on public.shop_settings for each row execute function private.settings_changed();

update public.transactions set sold_local = null;  -- what is there already gets its day, and is calculated next time
update public.transaction_items set sold_on = null;
create index transactions_sold on public.transactions (sold_on);

create or replace view public.sales with (security_invoker = true) as
select t.id, t.transaction_id, t.customer_id, t.date, t.sold_local as local_time, t.sold_on as local_day,
       t.total_amount, t.total_tax, t.discounts, t.shop_location, t.staff_name, t.terminal, t.payment_type, t.updated_at
from public.transactions t where t.sold_on is not null;

-- LEFT JOIN on a unique key: it costs nothing where neither customer_id nor date is asked for.
create or replace view public.sale_lines with (security_invoker = true) as
select i.id, i.transaction_id, t.customer_id, i.sold_on as local_day, t.date,
       coalesce(nullif(i.product_sku, ''), 'name:' || lower(i.product_name)) as product_key,
       i.product_sku, i.product_name, i.brand, i.category, i.strain, i.quantity, i.unit_price, i.total_price, i.thc_content, i.cbd_content
from public.transaction_items i left join public.transactions t on t.transaction_id = i.transaction_id
where i.sold_on is not null;

-- What is calculated ------------------------------------------------------------------------------------------------------------------
drop function private.calculate_customers(boolean), private.calculate_visit_patterns(boolean), private.calculate_affinity(boolean),
  private.changed_customers(text, boolean), private.note_calculated(text, integer, timestamptz);
alter table private.calculated drop column watermark;

create function private.note_calculated(which text, made integer) returns void
language sql set search_path = '' as $$
  insert into private.calculated as c (name, rows) values (which, made)
  on conflict (name) do update set calculated_at = clock_timestamp(), rows = excluded.rows
$$;

-- Visits are distinct local days; lifetime value is sales less refunds.
create function private.calculate_customers(changed text[]) returns integer
language plpgsql set search_path = '' as $$
declare n integer;
begin
  with changed as materialized (select unnest(calculate_customers.changed) as customer_id),
  sums as (
    select c.customer_id, coalesce(v.visits, 0) as visits, coalesce(v.sales, 0) as sales, coalesce(v.gross, 0) as gross,
           coalesce(r.refunds, 0) as refunds, coalesce(r.refunded, 0) as refunded, v.last_day
    from changed c
    left join (select s.customer_id, count(distinct s.local_day) as visits, count(*) as sales, sum(s.total_amount) as gross,
                      max(s.local_day) as last_day
               from public.sales s join changed using (customer_id) group by s.customer_id) v using (customer_id)
    left join (select t.customer_id, count(*) as refunds, sum(abs(t.total_amount)) as refunded
               from public.transactions t join changed using (customer_id)
               where t.status = 'Refund' or t.trans_type = 'Refund' group by t.customer_id) r using (customer_id)),
  made as (
    select s.*, s.gross - s.refunded as value, case when s.sales > 0 then round(s.gross / s.sales, 2) else 0 end as average,
      case when s.visits >= g.vip_visits then 'VIP' when s.visits >= g.regular_visits then 'Regular'
        when s.visits >= g.casual_visits then 'Casual' else 'New' end as tier
    from sums s cross join public.shop_settings g)
  update public.customers u set
    total_visits = s.visits, total_sales = s.sales, gross_sales = s.gross, gross_refunds = s.refunded, total_refunds = s.refunds,
    lifetime_value = s.value, avg_sale_value = s.average, last_visited = coalesce(s.last_day, u.last_visited), vip_status = s.tier
  from made s
  where u.member_id = s.customer_id
    and (u.total_visits, u.total_sales, u.gross_sales, u.gross_refunds, u.total_refunds, u.lifetime_value, u.avg_sale_value, u.last_visited, u.vip_status)
        is distinct from (s.visits, s.sales, s.gross, s.refunded, s.refunds, s.value, s.average, coalesce(s.last_day, u.last_visited), s.tier);
  get diagnostics n = row_count;
  perform private.note_calculated('customers', n);
  return n;
end
$$;

-- At least three visits make a pattern. Consistency is 1 - sd/mean of the gaps, cut to 0..1.
create function private.calculate_visit_patterns(changed text[]) returns integer
language plpgsql set search_path = '' as $$
declare n integer;
begin
  with changed as materialized (select unnest(calculate_visit_patterns.changed) as customer_id),
  days as (select distinct s.customer_id, s.local_day from public.sales s join changed using (customer_id)),
  gaps as (select d.customer_id, d.local_day, d.local_day - lag(d.local_day) over (partition by d.customer_id order by d.local_day) as gap from days d),
  made as materialized (
    select g.customer_id, avg(g.gap) as mean, stddev_samp(g.gap) as sd, max(g.gap) as longest, min(g.gap) as shortest,
           count(*) as visits, max(g.local_day) as last_day, (array_agg(g.gap order by g.local_day desc))[1] as last_gap
    from gaps g group by g.customer_id having count(*) >= 3),
  gone as (  -- sales that were taken back
    delete from public.customer_visit_patterns p using changed c
    where p.customer_id = c.customer_id and not exists (select 1 from made m where m.customer_id = p.customer_id) returning 1),
  kept as (
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
    where (p.avg_days_between_visits, p.visit_consistency_score, p.predicted_next_visit, p.last_visit_deviation_from_avg, p.longest_gap_days,
           p.shortest_gap_days, p.total_visits)
          is distinct from (excluded.avg_days_between_visits, excluded.visit_consistency_score, excluded.predicted_next_visit,
           excluded.last_visit_deviation_from_avg, excluded.longest_gap_days, excluded.shortest_gap_days, excluded.total_visits)
    returning 1)
  select (select count(*) from kept) + (select count(*) from gone) into n;
  perform private.note_calculated('visit_patterns', n);
  return n;
end
$$;

-- Counted in sales, not lines; the repurchase rate is the share of later visits that bought it again.
create function private.calculate_affinity(changed text[]) returns integer
language plpgsql set search_path = '' as $$
declare n integer;
begin
  with changed as materialized (select unnest(calculate_affinity.changed) as customer_id),
  days as (select distinct s.customer_id, s.local_day from public.sales s join changed using (customer_id)),
  numbered as (select d.customer_id, d.local_day, row_number() over (partition by d.customer_id order by d.local_day) as visit,
                      count(*) over (partition by d.customer_id) as visits from days d),
  bought as (
    select l.customer_id, l.product_sku, (array_agg(l.product_name order by l.date desc))[1] as product_name,
           (array_agg(l.category order by l.date desc))[1] as category, (array_agg(l.brand order by l.date desc))[1] as brand,
           count(distinct l.transaction_id) as purchases, count(distinct l.local_day) as purchase_days, sum(l.total_price) as spent,
           round(avg(l.unit_price), 2) as price, min(l.local_day) as first_day, max(l.local_day) as last_day
    from public.sale_lines l join changed using (customer_id)
    where l.product_sku <> '' group by l.customer_id, l.product_sku),
  made as materialized (
    select b.*, round(coalesce(least(1, (b.purchase_days - 1)::numeric / nullif(v.visits - v.visit, 0)), 0), 3) as rate
    from bought b join numbered v on v.customer_id = b.customer_id and v.local_day = b.first_day),
  gone as (
    delete from public.customer_product_affinity a using changed c
    where a.customer_id = c.customer_id
      and not exists (select 1 from made m where m.customer_id = a.customer_id and m.product_sku = a.product_sku)
    returning 1),
  kept as (
    insert into public.customer_product_affinity as a
      (customer_id, product_sku, product_name, category, brand, purchase_count, total_spent, avg_price_paid, repurchase_rate, last_purchased)
    select m.customer_id, m.product_sku, m.product_name, m.category, m.brand, m.purchases, m.spent, m.price, m.rate, m.last_day
    from made m
    on conflict (customer_id, product_sku) do update set
      product_name = excluded.product_name, category = excluded.category, brand = excluded.brand, purchase_count = excluded.purchase_count,
      total_spent = excluded.total_spent, avg_price_paid = excluded.avg_price_paid, repurchase_rate = excluded.repurchase_rate,
      last_purchased = excluded.last_purchased
    where (a.purchase_count, a.total_spent, a.avg_price_paid, a.repurchase_rate, a.last_purchased, a.product_name, a.category, a.brand)
          is distinct from (excluded.purchase_count, excluded.total_spent, excluded.avg_price_paid, excluded.repurchase_rate,
           excluded.last_purchased, excluded.product_name, excluded.category, excluded.brand)
    returning 1)
  select (select count(*) from kept) + (select count(*) from gone) into n;
  perform private.note_calculated('affinity', n);
  return n;
end
$$;

-- Of each customer who bought: what he likes best, how dear, where and how he pays. The price level is against the median of the category.
create table public.customer_tastes (
  customer_id text primary key references public.customers (member_id) on delete cascade on update cascade,
  top_brand text, brand_loyalty_percent numeric(5, 1),
  top_category text, category_percent numeric(5, 1),
  price_level numeric(8, 2),
  repeat_percent numeric(5, 1),
  preferred_location text, preferred_payment text,
  updated_at timestamptz not null default now()
);
alter table public.customer_tastes enable row level security;
revoke all on public.customer_tastes from public, anon, authenticated;
grant select, insert, update, delete on public.customer_tastes to service_role;
grant select on public.customer_tastes to authenticated;
create policy read_staff on public.customer_tastes for select to authenticated
  using ((select private.has_role('viewer', 'reviewer', 'admin', 'agent')));
create trigger touch before update on public.customer_tastes for each row execute function private.touch();

create function private.calculate_tastes(changed text[]) returns integer
language plpgsql set search_path = '' as $$
declare n integer;
begin
  if cardinality(changed) = 0 then return 0; end if;
  with changed as materialized (select unnest(calculate_tastes.changed) as customer_id),
  medians as materialized (
    select a.category, percentile_cont(0.5) within group (order by a.avg_price_paid) as price from public.customer_product_affinity a group by a.category),
  mine as materialized (select a.* from public.customer_product_affinity a join changed using (customer_id)),
  brands as (select distinct on (x.customer_id) x.customer_id, x.brand, x.n
             from (select customer_id, brand, sum(purchase_count) as n from mine group by customer_id, brand) x
             order by x.customer_id, x.n desc, x.brand),
  categories as (select distinct on (x.customer_id) x.customer_id, x.category, x.n
                 from (select customer_id, category, sum(purchase_count) as n from mine group by customer_id, category) x
                 order by x.customer_id, x.n desc, x.category),
  totals as (select a.customer_id, sum(a.purchase_count) as n, count(*) as products, count(*) filter (where a.purchase_count > 1) as repeated,
                    avg(a.avg_price_paid / nullif(m.price, 0)) as price_level
             from mine a left join medians m on coalesce(m.category, '') = coalesce(a.category, '') group by a.customer_id),
  habits as (select s.customer_id, mode() within group (order by s.shop_location) as location, mode() within group (order by s.payment_type) as payment
             from public.sales s join changed using (customer_id) group by s.customer_id),
  made as materialized (
    select h.customer_id, b.brand, round(100.0 * b.n / t.n, 1) as brand_percent, c.category, round(100.0 * c.n / t.n, 1) as category_percent,
           round(t.price_level::numeric, 2) as price_level, round(100.0 * t.repeated / t.products, 1) as repeat_percent, h.location, h.payment
    from habits h left join totals t using (customer_id) left join brands b using (customer_id) left join categories c using (customer_id)),
  gone as (
    delete from public.customer_tastes k using changed c
    where k.customer_id = c.customer_id and not exists (select 1 from made m where m.customer_id = k.customer_id) returning 1),
  kept as (
    insert into public.customer_tastes as k
      (customer_id, top_brand, brand_loyalty_percent, top_category, category_percent, price_level, repeat_percent, preferred_location, preferred_payment)
    select * from made
    on conflict (customer_id) do update set top_brand = excluded.top_brand, brand_loyalty_percent = excluded.brand_loyalty_percent,
      top_category = excluded.top_category, category_percent = excluded.category_percent, price_level = excluded.price_level,
      repeat_percent = excluded.repeat_percent, preferred_location = excluded.preferred_location, preferred_payment = excluded.preferred_payment
    where (k.top_brand, k.brand_loyalty_percent, k.top_category, k.category_percent, k.price_level, k.repeat_percent, k.preferred_location,
           k.preferred_payment)
          is distinct from (excluded.top_brand, excluded.brand_loyalty_percent, excluded.top_category, excluded.category_percent,
           excluded.price_level, excluded.repeat_percent, excluded.preferred_location, excluded.preferred_payment)
    returning 1)
  select (select count(*) from kept) + (select count(*) from gone) into n;
  perform private.note_calculated('tastes', n);
  return n;
end
$$;

create or replace function private.calculate_staff() returns integer
language plpgsql set search_path = '' as $$
declare n integer;
begin
  with made as materialized (
    select s.staff_name, coalesce(s.shop_location, '') as shop_location, count(*) as transactions, sum(s.total_amount) as sales,
           round(avg(s.total_amount), 2) as average
    from public.sales s where s.staff_name <> '' group by 1, 2),
  gone as (  -- all of whose sales were taken back
    update public.staff f set total_transactions = 0, total_sales = 0, avg_transaction_value = null
    where f.total_transactions <> 0 and not exists (select 1 from made m where m.staff_name = f.staff_name and m.shop_location = f.shop_location)
    returning 1),
  kept as (
    insert into public.staff as f (staff_name, shop_location, total_transactions, total_sales, avg_transaction_value) select * from made
    on conflict (staff_name, shop_location) do update set total_transactions = excluded.total_transactions,
      total_sales = excluded.total_sales, avg_transaction_value = excluded.avg_transaction_value
    where (f.total_transactions, f.total_sales) is distinct from (excluded.total_transactions, excluded.total_sales)
    returning 1)
  select (select count(*) from kept) + (select count(*) from gone) into n;
  perform private.note_calculated('staff', n);
  return n;
end
$$;

-- Baskets of 2 to 50 different products: what is larger is no basket but a delivery.
create or replace function private.calculate_product_pairs() returns integer
language plpgsql set search_path = '' as $$
declare n integer;
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
  perform private.note_calculated('product_pairs', n);
  return n;
end
$$;

-- A lead whose number is a customer's is warm, and linked; chances follow.
create or replace function private.calculate_leads() returns integer
language plpgsql set search_path = '' as $$
declare n integer;
begin
  update public.leads l set customer_id = c.member_id, conversion_probability = greatest(l.conversion_probability, 0.8),
    lead_status = case when l.lead_status = 'new' then 'warm' else l.lead_status end
  from (select distinct on (phone) phone, member_id from public.customers where phone <> '' order by phone, last_visited desc nulls last, id) c
  where c.phone = l.phone_number and l.customer_id is null;
  get diagnostics n = row_count;
  perform private.note_calculated('leads', n);
  return n;
end
$$;

-- One run at a time, of the customers whose sales changed. {"everything": true}: of all. What is counted over all sales (staff, pairs of
-- products) is counted anew only when a sale changed, pairs at most every six hours.
create or replace function public.recalculate_v1(p jsonb default '{}') returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  everything boolean := coalesce((p ->> 'everything')::boolean, false);
  changed text[];
  sales_changed boolean;
  pairs_age interval;
begin
  if private.jwt() ->> 'role' = 'authenticated' and not private.has_role('admin') then
    raise exception 'only an administrator may recalculate' using errcode = '42501';
  end if;
  if not pg_try_advisory_xact_lock(727274, 1) then
    raise exception 'another recalculation is running' using errcode = '55P03';
  end if;
  with taken as (delete from private.stale_customers s returning s.customer_id)
  select coalesce(array_agg(distinct t.customer_id), '{}') into changed from taken t;
  if everything then
    select coalesce(array_agg(x.customer_id), '{}') into changed from (
      select unnest(changed) as customer_id union select t.customer_id from public.transactions t where t.customer_id is not null
      union select v.customer_id from public.customer_visit_patterns v union select a.customer_id from public.customer_product_affinity a) x;
  end if;
  sales_changed := everything or exists (
    select 1 from public.transactions t where t.updated_at > (select c.calculated_at - interval '1 hour' from private.calculated c where c.name = 'staff'))
    or cardinality(changed) > 0 or not exists (select 1 from private.calculated c where c.name = 'staff');
  select now() - c.calculated_at into pairs_age from private.calculated c where c.name = 'product_pairs';
  return jsonb_build_object(
    'customers', private.calculate_customers(changed), 'visit_patterns', private.calculate_visit_patterns(changed),
    'affinity', private.calculate_affinity(changed), 'tastes', private.calculate_tastes(changed),
    'staff', case when sales_changed then private.calculate_staff() else 0 end,
    'product_pairs', case when everything or pairs_age is null or sales_changed and pairs_age > interval '6 hours'
                          then private.calculate_product_pairs() else 0 end,
    'leads', private.calculate_leads());
end
$$;

-- Insights that compare with today: it is found once, not for every row ------------------------------------------------------------------
create or replace view public.new_customers with (security_invoker = true) as
select member_id, name, date_joined, total_visits, lifetime_value from public.customers
where date_joined >= (select public.shop_today()) - 30 order by date_joined desc, member_id;

create or replace view public.daily_revenue with (security_invoker = true) as
select local_day as sale_date, count(*) as transactions, sum(total_amount) as revenue, round(avg(total_amount), 2) as avg_transaction
from public.sales where local_day > (select public.shop_today()) - 30 group by 1 order by 1 desc;

create or replace view public.sales_today with (security_invoker = true) as
with recent as materialized (
  select s.*, (select public.shop_today()) - s.local_day as ago from public.sales s where s.local_day >= (select public.shop_today()) - 1)
select d.day, count(s.id) as transactions, coalesce(sum(s.total_amount), 0) as revenue, round(avg(s.total_amount), 2) as avg_transaction,
       count(distinct s.customer_id) as unique_customers
from (values ('today', 0), ('yesterday', 1)) d (day, ago) left join recent s on s.ago = d.ago
group by d.day, d.ago order by d.ago;

create or replace view public.visitors_today with (security_invoker = true) as
select count(distinct customer_id) as customers, count(*) filter (where customer_id is null) as walk_ins, coalesce(sum(total_amount), 0) as revenue
from public.sales where local_day = (select public.shop_today());

create or replace view public.active_customers with (security_invoker = true) as
with recent as materialized (
  select s.id, s.customer_id, s.total_amount, (select public.shop_today()) - s.local_day as ago
  from public.sales s where s.local_day > (select public.shop_today()) - 30)
select d.days, count(distinct s.customer_id) as active_customers, count(s.id) as transactions, coalesce(sum(s.total_amount), 0) as revenue
from (values (7), (30)) d (days) left join recent s on s.ago < d.days
group by d.days order by d.days;

create or replace view public.revenue_this_month with (security_invoker = true) as
select date_trunc('month', (select public.shop_today()))::date as month, count(*) as transactions, coalesce(sum(total_amount), 0) as revenue
from public.sales where local_day >= date_trunc('month', (select public.shop_today()))::date;

create or replace view public.transaction_frequency with (security_invoker = true) as
select case when f.per_30_days < 1 then 'below 1' when f.per_30_days < 2 then '1 to 2' when f.per_30_days < 4 then '2 to 4' else '4 and more' end
         as sales_per_30_days, count(*) as customers, round(avg(f.sales), 1) as avg_sales
from (select customer_id, count(*) as sales, 30.0 * count(*) / greatest(30, (select public.shop_today()) - min(local_day)) as per_30_days
      from public.sales where customer_id is not null group by customer_id) f
group by 1 order by min(f.per_30_days);

create or replace view public.product_lifecycle with (security_invoker = true) as
select p.sku, p.name, p.is_active, l.first_sold, l.last_sold,
  case when l.first_sold is null then 'never sold' when l.first_sold > (select public.shop_today()) - 30 then 'new'
    when not p.is_active or l.last_sold < (select public.shop_today()) - 90 then 'fading' else 'current' end as stage
from public.products p
left join (select product_sku, min(local_day) as first_sold, max(local_day) as last_sold from public.sale_lines group by product_sku) l
  on l.product_sku = p.sku
order by l.last_sold desc nulls last, p.sku;

create or replace view public.slow_movers with (security_invoker = true) as
select p.sku, p.name, p.category, p.retail_price, l.last_sold, coalesce(l.units, 0) as units_in_90_days
from public.products p
left join (select product_sku, max(local_day) as last_sold, sum(quantity) filter (where local_day > (select public.shop_today()) - 90) as units
           from public.sale_lines group by product_sku) l on l.product_sku = p.sku
where p.is_active and coalesce(l.units, 0) < 3 order by units_in_90_days, l.last_sold nulls first, p.sku limit 500;

create or replace view public.predicted_visits with (security_invoker = true) as
select c.member_id, c.name, c.phone, v.predicted_next_visit, v.avg_days_between_visits, c.days_since, c.lifetime_value,
       v.predicted_next_visit < (select public.shop_today()) as overdue
from public.customer_visit_patterns v join public.customer_profiles c on c.member_id = v.customer_id
where v.predicted_next_visit between (select public.shop_today()) - 14 and (select public.shop_today()) + 7
order by v.predicted_next_visit, c.member_id;

create or replace view public.next_purchases with (security_invoker = true) as
select c.member_id, c.name, c.phone, v.predicted_next_visit, v.avg_days_between_visits, c.days_since, c.lifetime_value, f.product_name as favorite_product
from public.customer_visit_patterns v
join public.customer_profiles c on c.member_id = v.customer_id
left join lateral (select a.product_name from public.customer_product_affinity a where a.customer_id = c.member_id
                   order by a.purchase_count desc, a.total_spent desc, a.product_sku limit 1) f on true
where v.predicted_next_visit between (select public.shop_today()) and (select public.shop_today()) + 14 order by v.predicted_next_visit, c.member_id;


-- Insights over all sales: what is grouped twice is grouped finely first, by hash, and nothing is called for each row ---------------------
create or replace view public.monthly_revenue with (security_invoker = true) as
select date_trunc('month', d.local_day)::date as month, sum(d.n)::bigint as transactions, sum(d.revenue) as revenue,
       round(sum(d.revenue) / sum(d.n), 2) as avg_transaction, sum(d.tax) as total_tax
from (select local_day, count(*) as n, sum(total_amount) as revenue, sum(total_tax) as tax from public.sales group by local_day) d
group by 1 order by 1 desc;

create or replace view public.seasonal_patterns with (security_invoker = true) as
select extract(month from h.hour)::integer as month_of_year, extract(isodow from h.hour)::integer as weekday,
       extract(hour from h.hour)::integer as hour, sum(h.n)::bigint as transactions, sum(h.revenue) as revenue
from (select date_trunc('hour', local_time) as hour, count(*) as n, sum(total_amount) as revenue from public.sales group by 1) h
group by 1, 2, 3 order by 1, 2, 3;

create or replace view public.best_sellers_by_revenue with (security_invoker = true) as
with top as materialized (
  select product_key, max(product_name) as product_name, max(brand) as brand, max(category) as category, sum(quantity) as units,
         sum(total_price) as revenue, round(avg(unit_price), 2) as avg_price
  from public.sale_lines where product_key is not null group by product_key order by revenue desc, product_key limit 20)
select t.product_key, t.product_name, t.brand, t.category, s.transactions, t.units, t.revenue, t.avg_price
from top t join (select l.product_key, count(distinct l.transaction_id) as transactions from public.sale_lines l join top using (product_key)
                 group by l.product_key) s using (product_key)
order by t.revenue desc, t.product_key;

create or replace view public.best_sellers_by_volume with (security_invoker = true) as
with top as materialized (
  select product_key, max(product_name) as product_name, max(brand) as brand, sum(quantity) as units, sum(total_price) as revenue
  from public.sale_lines where product_key is not null group by product_key order by units desc, product_key limit 20)
select t.product_key, t.product_name, t.brand, t.units, s.transactions, t.revenue
from top t join (select l.product_key, count(distinct l.transaction_id) as transactions from public.sale_lines l join top using (product_key)
                 group by l.product_key) s using (product_key)
order by t.units desc, t.product_key;

create or replace view public.thc_preferences with (security_invoker = true) as
select b.band as thc_range, count(*) as lines, sum(l.total_price) as revenue
from public.sale_lines l, lateral (select case when l.thc_content is null or l.thc_content <= 0 then 'unknown' when l.thc_content < 15 then 'below 15 %'
    when l.thc_content < 20 then '15 to 20 %' when l.thc_content < 25 then '20 to 25 %' when l.thc_content < 30 then '25 to 30 %'
    else '30 % and more' end as band) b
where l.category = any ((select s.percent_categories from public.shop_settings s)::text[]) group by 1 order by min(nullif(l.thc_content, 0)) nulls last;

create or replace view public.cbd_preferences with (security_invoker = true) as
select b.band as cbd_range, count(*) as lines, sum(l.total_price) as revenue
from public.sale_lines l, lateral (select case when l.cbd_content is null or l.cbd_content <= 0 then 'unknown' when l.cbd_content < 15 then 'below 15 %'
    when l.cbd_content < 20 then '15 to 20 %' when l.cbd_content < 25 then '20 to 25 %' when l.cbd_content < 30 then '25 to 30 %'
    else '30 % and more' end as band) b
where l.category = any ((select s.percent_categories from public.shop_settings s)::text[]) group by 1 order by min(nullif(l.cbd_content, 0)) nulls last;
drop function private.potency_band(numeric);

create or replace view public.category_combinations with (security_invoker = true) as
select a.c as category_1, b.c as category_2, sum(k.baskets)::bigint as baskets
from (select x.categories, count(*) as baskets
      from (select array_agg(distinct category) as categories from public.sale_lines where category <> '' group by transaction_id) x
      where cardinality(x.categories) > 1 group by x.categories) k,
  unnest(k.categories) a (c), unnest(k.categories) b (c)
where a.c < b.c group by 1, 2 order by baskets desc, 1, 2 limit 20;

create or replace view public.customer_preferences with (security_invoker = true) as
select customer_id, top_brand, brand_loyalty_percent::numeric, top_category, category_percent::numeric, price_level::numeric, repeat_percent::numeric
from public.customer_tastes where repeat_percent is not null;

-- The last gap against the mean of those before it: of n gaps with mean m, that is n/(n-1) of what it differs from m by.
create or replace view public.visit_prediction_accuracy with (security_invoker = true) as
select count(*) as customers, round(avg(e.days), 1) as mean_error_days, percentile_cont(0.5) within group (order by e.days) as median_error_days,
       round(100.0 * count(*) filter (where e.days <= 3) / nullif(count(*), 0), 1) as within_3_days_percent
from (select abs(last_visit_deviation_from_avg) * (total_visits - 1) / (total_visits - 2) as days
      from public.customer_visit_patterns where total_visits >= 4) e;

create or replace view public.weekly_revenue with (security_invoker = true) as
select date_trunc('week', local_time)::date as week, count(*) as transactions, sum(total_amount) as revenue,
       count(distinct customer_id) as customers
from public.sales group by 1 order by 1 desc;

create or replace view public.staff_by_month with (security_invoker = true) as
select d.staff_name, date_trunc('month', d.local_day)::date as month, sum(d.n)::bigint as transactions, sum(d.revenue) as total_sales,
       round(sum(d.revenue) / sum(d.n), 2) as avg_transaction
from (select staff_name, local_day, count(*) as n, sum(total_amount) as revenue from public.sales where staff_name <> '' group by 1, 2) d
group by 1, 2 order by 2 desc, 4 desc, 1;

create or replace view public.staff_productivity with (security_invoker = true) as
select d.staff_name, count(*) as active_days, sum(d.n)::bigint as transactions, round(sum(d.n) / count(*), 2) as transactions_per_day,
       round(sum(d.revenue) / count(*), 2) as sales_per_day
from (select staff_name, local_day, count(*) as n, sum(total_amount) as revenue from public.sales where staff_name <> '' group by 1, 2) d
group by d.staff_name order by sales_per_day desc, d.staff_name;

create or replace view public.revenue_by_location with (security_invoker = true) as
select c.shop_location, sum(c.n)::bigint as transactions, sum(c.revenue) as revenue, round(sum(c.revenue) / sum(c.n), 2) as avg_transaction,
       count(c.customer_id) as unique_customers
from (select shop_location, customer_id, count(*) as n, sum(total_amount) as revenue from public.sales where shop_location <> '' group by 1, 2) c
group by c.shop_location order by revenue desc, c.shop_location;

create or replace view public.order_value_by_segment with (security_invoker = true) as
select case when c.lifetime_value is null then 'no data' when c.lifetime_value < 100 then 'low' when c.lifetime_value < 500 then 'medium'
         when c.lifetime_value < 2500 then 'high' else 'top' end as value_band,
       count(*) as customers, sum(s.n)::bigint as transactions, round(sum(s.revenue) / sum(s.n), 2) as avg_transaction, sum(s.revenue) as revenue
from (select customer_id, count(*) as n, sum(total_amount) as revenue from public.sales where customer_id is not null group by customer_id) s
join public.customers c on c.member_id = s.customer_id group by 1 order by avg_transaction desc;

create or replace view public.segment_products with (security_invoker = true) as
with sums as materialized (
  select a.product_sku, max(a.product_name) as product_name,
    sum(a.purchase_count) filter (where c.customer_segment = 'VIP') as n1, sum(a.total_spent) filter (where c.customer_segment = 'VIP') as s1,
    sum(a.purchase_count) filter (where c.customer_segment = 'Regular') as n2, sum(a.total_spent) filter (where c.customer_segment = 'Regular') as s2,
    sum(a.purchase_count) filter (where c.customer_segment = 'Casual') as n3, sum(a.total_spent) filter (where c.customer_segment = 'Casual') as s3,
    sum(a.purchase_count) filter (where c.customer_segment = 'New') as n4, sum(a.total_spent) filter (where c.customer_segment = 'New') as s4
  from public.customer_product_affinity a join public.customer_profiles c on c.member_id = a.customer_id group by a.product_sku)
select x.customer_segment, x.product_sku, x.product_name, x.purchases, x.spent from (
  (select 'VIP'::text as customer_segment, product_sku, product_name, n1 as purchases, s1 as spent from sums where n1 > 0 order by n1 desc, product_sku limit 10)
  union all (select 'Regular', product_sku, product_name, n2, s2 from sums where n2 > 0 order by n2 desc, product_sku limit 10)
  union all (select 'Casual', product_sku, product_name, n3, s3 from sums where n3 > 0 order by n3 desc, product_sku limit 10)
  union all (select 'New', product_sku, product_name, n4, s4 from sums where n4 > 0 order by n4 desc, product_sku limit 10)) x
order by x.customer_segment, x.purchases desc, x.product_sku;

-- What an agent that answers messages should know of a number, in one read. The last three lines are those of the last 50 sales.
create index customer_product_affinity_best on public.customer_product_affinity (customer_id, purchase_count desc, total_spent desc);
create or replace view public.customer_sms_context with (security_invoker = true) as
select c.member_id, c.name, c.phone, c.email, c.loyalty_points, c.total_visits, c.lifetime_value, c.avg_sale_value,
  c.customer_segment as vip_status, c.last_visited, c.days_since as days_since_last_visit, c.churn as churn_risk,
  f.favorite_products, f.favorite_category, r.recent_purchases, r.last_purchase_date, k.preferred_location, k.preferred_payment
from public.customer_profiles c
left join public.customer_tastes k on k.customer_id = c.member_id
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
  from (select i.product_name, i.category, t.date, i.total_price
        from (select s.transaction_id, s.date from public.sales s where s.customer_id = c.member_id order by s.date desc limit 50) t
        join public.transaction_items i on i.transaction_id = t.transaction_id
        order by t.date desc, i.id limit 3) x) r on true
where c.phone <> '';

revoke all on all functions in schema private from public;
