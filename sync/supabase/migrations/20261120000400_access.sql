-- Explicit grants and row-level security: anon sees nothing, boxes use gw_*_v1 alone, staff by role.
do $$
declare t text;
begin
  foreach t in array array['staff_roles', 'customers', 'gateways', 'gateway_instances', 'gw_meta', 'scheduled_messages', 'messages',
                           'gateway_commands', 'message_events', 'opt_outs', 'consents'] loop
    execute format('alter table public.%I enable row level security', t);
    execute format('revoke all on public.%I from public, anon, authenticated', t);
    execute format('grant select, insert, update, delete on public.%I to service_role', t);
  end loop;
end
$$;
alter table private.transitions enable row level security;
grant usage on all sequences in schema public to service_role;

grant select on public.staff_roles, public.customers, public.gateways, public.scheduled_messages, public.messages,
  public.gateway_commands, public.message_events, public.opt_outs, public.consents to authenticated;
grant insert, delete on public.staff_roles to authenticated;
grant insert, update on public.customers to authenticated;
grant insert (id, pool, auth_user_id, enabled, max_inflight), update (pool, auth_user_id, enabled, max_inflight), delete
  on public.gateways to authenticated;
grant insert (customer_id, phone_number, customer_segment, message_content, original_message, generated_by, generation_prompt,
    generation_model, generation_cost, strategy_type, reasoning, confidence_score, days_since_visit, favorite_budtender,
    favorite_product, scheduled_send_time, status, campaign_name, campaign_batch_id, pool, gateway_id, class, priority, expires_at,
    offline_ok, on_unknown, dedup_key),
  update (phone_number, message_content, scheduled_send_time, status, priority, expires_at, class, offline_ok, on_unknown, pool, gateway_id,
    cancel_requested_at, reviewed_by, reviewed_at, human_override, campaign_name, campaign_batch_id, customer_segment)
  on public.scheduled_messages to authenticated;
grant update (status, routed_to_agent, metadata) on public.messages to authenticated;
grant insert (gateway_id, kind, payload) on public.gateway_commands to authenticated;
grant insert (phone_number, active, reason, source, actor, at), update (active, reason, source, actor, at) on public.opt_outs to authenticated;
grant insert (phone_number, class, source, text_shown, at), update (revoked_at) on public.consents to authenticated;

create policy staff_own on public.staff_roles for select to authenticated
  using (user_id = nullif((select private.jwt()) ->> 'sub', '')::uuid or (select private.has_role('admin')));
create policy staff_admin_insert on public.staff_roles for insert to authenticated with check ((select private.has_role('admin')));
create policy staff_admin_delete on public.staff_roles for delete to authenticated using ((select private.has_role('admin')));

create policy read_staff on public.customers for select to authenticated
  using ((select private.has_role('viewer', 'reviewer', 'admin', 'agent')));
create policy insert_admin on public.customers for insert to authenticated with check ((select private.has_role('admin')));
create policy update_admin on public.customers for update to authenticated
  using ((select private.has_role('admin'))) with check ((select private.has_role('admin')));

create policy read_staff on public.gateways for select to authenticated using ((select private.has_role('viewer', 'reviewer', 'admin')));
create policy insert_admin on public.gateways for insert to authenticated with check ((select private.has_role('admin')));
create policy update_admin on public.gateways for update to authenticated
  using ((select private.has_role('admin'))) with check ((select private.has_role('admin')));
create policy delete_admin on public.gateways for delete to authenticated using ((select private.has_role('admin')));

create policy read_staff on public.scheduled_messages for select to authenticated
  using ((select private.has_role('viewer', 'reviewer', 'admin', 'agent')));
create policy insert_staff on public.scheduled_messages for insert to authenticated
  with check (((select private.has_role('reviewer', 'admin', 'agent')) and status in ('draft', 'approved', 'scheduled'))
    or ((select private.has_role('web')) and status = 'draft'));
create policy update_staff on public.scheduled_messages for update to authenticated
  using ((select private.has_role('reviewer', 'admin'))) with check ((select private.has_role('reviewer', 'admin')));

create policy read_staff on public.messages for select to authenticated
  using ((select private.has_role('viewer', 'reviewer', 'admin', 'agent')));
create policy update_staff on public.messages for update to authenticated
  using (direction = 'inbound' and (select private.has_role('reviewer', 'admin', 'agent')))
  with check (direction = 'inbound' and (select private.has_role('reviewer', 'admin', 'agent')));

create policy read_staff on public.message_events for select to authenticated
  using ((select private.has_role('viewer', 'reviewer', 'admin')));
create policy read_admin on public.gateway_commands for select to authenticated using ((select private.has_role('admin')));
create policy insert_admin on public.gateway_commands for insert to authenticated
  with check ((select private.has_role('admin')) and kind in ('pause', 'resume', 'sync', 'doctor', 'bundle'));

create policy read_staff on public.opt_outs for select to authenticated
  using ((select private.has_role('viewer', 'reviewer', 'admin', 'agent')));
create policy insert_staff on public.opt_outs for insert to authenticated
  with check ((select private.has_role('reviewer', 'admin', 'agent')));
create policy update_staff on public.opt_outs for update to authenticated
  using ((select private.has_role('reviewer', 'admin', 'agent'))) with check ((select private.has_role('reviewer', 'admin', 'agent')));

create policy read_staff on public.consents for select to authenticated
  using ((select private.has_role('viewer', 'reviewer', 'admin', 'agent')));
create policy insert_staff on public.consents for insert to authenticated
  with check ((select private.has_role('reviewer', 'admin', 'agent', 'web')));
create policy update_staff on public.consents for update to authenticated
  using ((select private.has_role('reviewer', 'admin'))) with check ((select private.has_role('reviewer', 'admin')));
