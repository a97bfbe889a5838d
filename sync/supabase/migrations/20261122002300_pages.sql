-- Commands that a box cannot acknowledge yet may fill a page: it asks for those behind. No cursor: each look starts from the first again.
create or replace function public.gw_commands_v1(p jsonb default '{}') returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.gateways := private.my_gateway();
  most integer := private.bounded(p -> 'limit', 100, 1, 500);
  after_id bigint := private.bounded(p -> 'after', 0, 0, 9e18);
  found_commands jsonb;
begin
  perform private.seen(me);
  select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'kind', c.kind, 'job_id', c.job_id, 'epoch', c.claim_epoch,
                                               'payload', c.payload, 'created_at', c.created_at) order by c.id), '[]')
    into found_commands
    from (select * from public.gateway_commands g where g.gateway_id = me.id and g.acked_at is null and g.id > after_id order by g.id limit most) c;
  return jsonb_build_object('fenced', private.is_fenced(me, p), 'commands', found_commands, 'server_now', clock_timestamp());
end
$$;
