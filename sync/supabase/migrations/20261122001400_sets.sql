-- The pieces of one message go out through one box, in their order: a piece is claimed after those before it have gone out, or with them. What
-- follows a piece that failed waits for its next round, until its own time is over.
create or replace function private.best_rows(me public.gateways, owner text, until timestamptz, most integer) returns bigint[]
language plpgsql volatile security definer set search_path = '' as $$
declare others text[]; ids bigint[]; rest bigint[];
begin
  if most <= 0 then return array[]::bigint[]; end if;
  others := array(select g.id from public.gateways g
                  where g.pool = me.pool and g.enabled and g.id <> me.id and g.last_claim_at > now() - interval '2 minutes');
  ids := array(select s.id from public.scheduled_messages s
               where s.pool = me.pool and coalesce(s.gateway_id, '') = owner and s.status = 'queued'
                 and s.scheduled_send_time <= until and (s.expires_at is null or s.expires_at > now())
                 and not (coalesce(s.preferred_gateway = any (others), false) and s.scheduled_send_time > now() - interval '2 minutes')
                 and (s.bubble_no = 1 or s.campaign_message_id is null or not exists (
                   select 1 from public.scheduled_messages b
                   where b.campaign_message_id = s.campaign_message_id and b.bubble_no < s.bubble_no
                     and b.campaign_round is not distinct from s.campaign_round
                     and b.status not in ('sent', 'delivered', 'undelivered', 'unknown')
                     and not (b.status in ('claimed', 'sending') and b.claimed_by = me.id)))
               order by s.priority desc, s.claim_rank, s.id limit most for update skip locked);
  if exists (select 1 from public.scheduled_messages s where s.id = any (ids) and s.bubble_no < s.bubble_total) then
    -- as far as the pieces are there without a gap
    rest := array(
      select s.id from public.scheduled_messages s
      join public.scheduled_messages f on f.id = any (ids) and f.campaign_message_id = s.campaign_message_id
        and f.campaign_round is not distinct from s.campaign_round and f.bubble_no < s.bubble_no
      where s.status = 'queued' and s.pool = me.pool and coalesce(s.gateway_id, '') = owner and (s.expires_at is null or s.expires_at > now())
        and (select count(*) from public.scheduled_messages b
             where b.campaign_message_id = s.campaign_message_id and b.campaign_round is not distinct from s.campaign_round
               and b.bubble_no > f.bubble_no and b.bubble_no < s.bubble_no and b.status = 'queued') = s.bubble_no - f.bubble_no - 1
      order by s.campaign_message_id, s.bubble_no for update of s skip locked);
    ids := ids || array(select r.id from unnest(rest) with ordinality r (id, n) where not r.id = any (ids) group by r.id order by min(r.n));
  end if;
  return ids;
end
$$;
revoke all on all functions in schema private from public;
