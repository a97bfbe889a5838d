-- What the list of insights still lacked; and phone numbers are kept in one form, so that an opt-out, a consent and a customer find each other.

-- Numbers as people type them become E.164 when they are written; what can be none is kept as it is (short codes, names).
create or replace function public.normal_phone(number text) returns text
language plpgsql stable parallel safe set search_path = '' as $$
declare
  region text;
  digits text;
begin
  if number ~ '^\+[1-9][0-9]{7,14}$' then return number; end if;
  if number is null or number ~ '[A-Za-z*#]' then return null; end if;
  digits := regexp_replace(number, '[^0-9]', '', 'g');
  if btrim(number) ~ '^(\+|00)' then
    digits := ltrim(digits, '0');
    return case when length(digits) between 8 and 15 then '+' || digits end;
  end if;
  select s.region_code into region from public.shop_settings s;
  if region = '1' then                           -- area codes begin with 2 to 9
    return case when digits ~ '^1?[2-9][0-9]{9}$' then '+1' || right(digits, 10) end;
  end if;
  digits := ltrim(digits, '0');
  return case when digits <> '' and length(region || digits) between 8 and 15 then '+' || region || digits end;
end
$$;

create function private.normal_phone_number() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  new.phone_number := coalesce(public.normal_phone(new.phone_number), new.phone_number);
  return new;
end
$$;
create function private.normal_phone_column() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  new.phone := coalesce(public.normal_phone(new.phone), new.phone);
  return new;
end
$$;
do $$
declare t text;
begin
  foreach t in array array['opt_outs', 'consents', 'leads', 'campaign_messages', 'scheduled_messages'] loop
    execute format($q$create trigger a_normal_phone before insert or update of phone_number on public.%I
      for each row when (new.phone_number !~ '^\+[1-9][0-9]{7,14}$') execute function private.normal_phone_number()$q$, t);
  end loop;
  foreach t in array array['customers', 'budtenders'] loop
    execute format($q$create trigger a_normal_phone before insert or update of phone on public.%I
      for each row when (new.phone !~ '^\+[1-9][0-9]{7,14}$') execute function private.normal_phone_column()$q$, t);
  end loop;
end
$$;

-- Names are not unique: a person is a name in a shop.
create or replace view public.staff_by_month with (security_invoker = true) as
select d.staff_name, date_trunc('month', d.local_day)::date as month, sum(d.n)::bigint as transactions, sum(d.revenue) as total_sales,
       round(sum(d.revenue) / sum(d.n), 2) as avg_transaction, d.shop_location
from (select staff_name, shop_location, local_day, count(*) as n, sum(total_amount) as revenue
      from public.sales where staff_name <> '' group by 1, 2, 3) d
group by d.staff_name, d.shop_location, 2 order by 2 desc, 4 desc, 1, 6;

-- Whom one may write to: a number, and no opt-out.
create or replace view public.predicted_visits with (security_invoker = true) as
select c.member_id, c.name, c.phone, v.predicted_next_visit, v.avg_days_between_visits, c.days_since, c.lifetime_value,
       v.predicted_next_visit < (select public.shop_today()) as overdue,
       coalesce(c.phone <> '', false) and not exists (select 1 from public.opt_outs o where o.phone_number = c.phone and o.active) as reachable
from public.customer_visit_patterns v join public.customer_profiles c on c.member_id = v.customer_id
where v.predicted_next_visit between (select public.shop_today()) - 14 and (select public.shop_today()) + 7
order by v.predicted_next_visit, c.member_id;

create or replace view public.next_purchases with (security_invoker = true) as
select c.member_id, c.name, c.phone, v.predicted_next_visit, v.avg_days_between_visits, c.days_since, c.lifetime_value, f.product_name as favorite_product,
       coalesce(c.phone <> '', false) and not exists (select 1 from public.opt_outs o where o.phone_number = c.phone and o.active) as reachable
from public.customer_visit_patterns v
join public.customer_profiles c on c.member_id = v.customer_id
left join lateral (select a.product_name from public.customer_product_affinity a where a.customer_id = c.member_id
                   order by a.purchase_count desc, a.total_spent desc, a.product_sku limit 1) f on true
where v.predicted_next_visit between (select public.shop_today()) and (select public.shop_today()) + 14 order by v.predicted_next_visit, c.member_id;

create view public.customer_totals with (security_invoker = true) as
select c.customers, c.new_this_month, c.vip, c.with_phone, s.active_30_days
from (select count(*) as customers, count(*) filter (where p.date_joined >= date_trunc('month', (select public.shop_today()))::date) as new_this_month,
             count(*) filter (where p.customer_segment = 'VIP') as vip, count(*) filter (where p.phone <> '') as with_phone
      from public.customer_profiles p) c,
  (select count(distinct customer_id) as active_30_days from public.sales where local_day > (select public.shop_today()) - 30) s;

create or replace view public.catalog_completeness with (security_invoker = true) as
select f.field, f.filled, x.products, round(100.0 * f.filled / nullif(x.products, 0), 1) as percent
from (select count(*) as products, count(nullif(product_id, '')) as product_id, count(nullif(name, '')) as name, count(nullif(brand, '')) as brand,
        count(nullif(category, '')) as category, count(nullif(vendor, '')) as vendor, count(nullif(strain, '')) as strain,
        count(nullif(flower_type, '')) as flower_type, count(thc_content) as thc_content, count(cbd_content) as cbd_content,
        count(nullif(leafly_strain_type, '')) as leafly_strain_type, count(nullif(leafly_description, '')) as leafly_description,
        count(nullif(leafly_url, '')) as leafly_url, count(leafly_rating) as leafly_rating, count(leafly_review_count) as leafly_review_count,
        count(nullif(effects, '{}')) as effects, count(nullif(helps_with, '{}')) as helps_with, count(nullif(negatives, '{}')) as negatives,
        count(nullif(flavors, '{}')) as flavors, count(nullif(terpenes, '{}')) as terpenes, count(nullif(parent_strains, '{}')) as parent_strains,
        count(nullif(lineage, '')) as lineage, count(retail_price) as retail_price, count(cost) as cost, count(nullif(image_url, '')) as image_url
      from public.products) x,
  lateral (values ('product_id', x.product_id), ('name', x.name), ('brand', x.brand), ('category', x.category), ('vendor', x.vendor), ('strain', x.strain),
    ('flower_type', x.flower_type), ('thc_content', x.thc_content), ('cbd_content', x.cbd_content), ('leafly_strain_type', x.leafly_strain_type),
    ('leafly_description', x.leafly_description), ('leafly_url', x.leafly_url), ('leafly_rating', x.leafly_rating),
    ('leafly_review_count', x.leafly_review_count), ('effects', x.effects), ('helps_with', x.helps_with), ('negatives', x.negatives),
    ('flavors', x.flavors), ('terpenes', x.terpenes), ('parent_strains', x.parent_strains), ('lineage', x.lineage),
    ('retail_price', x.retail_price), ('cost', x.cost), ('image_url', x.image_url)) f (field, filled)
order by percent desc, f.field;

-- Of all that was to go out, what went, and of that, what arrived.
create or replace view public.delivery_rate with (security_invoker = true) as
select (coalesce(m.sent_at, m."timestamp") at time zone s.time_zone)::date as day, m.gateway_id, m.modem_index, count(m.sent_at) as sent,
       count(*) filter (where m.delivery_status = 'delivered') as delivered,
       round(100.0 * count(*) filter (where m.delivery_status = 'delivered') / nullif(count(m.sent_at), 0), 1) as delivered_percent,
       count(*) as outbound, round(100.0 * count(m.sent_at) / count(*), 1) as sent_percent
from public.messages m cross join public.shop_settings s
where m.direction = 'outbound' and (m.sent_at is not null or m.status in ('failed', 'expired', 'suppressed', 'undelivered', 'unknown'))
group by 1, 2, 3 order by 1 desc, 2, 3;

-- The score of a profile as of now: its recency does not wait for a recalculation.
create or replace view public.web_profiles with (security_invoker = true) as
select p.*, case when p.last_order_date is null then 999 else extract(day from now() - p.last_order_date)::integer end as days_since_order,
       now() between p.next_prime_window_start and p.next_prime_window_end as in_prime_window,
       least(100, least(30, 5 * p.total_orders) + least(30, 0.3 * p.avg_order_value)
         + case when p.last_order_date is null then 0 when now() - p.last_order_date < interval '15 days' then 40
             when now() - p.last_order_date < interval '31 days' then 30 when now() - p.last_order_date < interval '61 days' then 20
             when now() - p.last_order_date < interval '91 days' then 10 else 0 end) as current_score
from public.customer_intelligence p;
create or replace view public.top_profiles with (security_invoker = true) as
select customer_email, current_score::numeric(5, 2) as profile_score, total_orders, avg_order_value, days_since_order from public.web_profiles
where total_orders > 0 order by current_score desc, customer_email limit 100;

update public.insights set numbers = numbers || '{S0-I12}' where name = 'product_recommendations';
update public.insights set numbers = numbers || '{S0-I22}' where name = 'customers_by_segment';
insert into public.insights (name, numbers, area, parameters, description) values
  ('customer_totals', '{S0-I22}', 'customers', '{}', 'All customers, new ones this month, VIPs, active in 30 days');
revoke all on public.customer_totals from public, anon;
grant select on public.customer_totals to authenticated, service_role;
revoke all on all functions in schema private from public;
