#!/usr/bin/env node
// The unmodified supabase-js against realtime.mjs: what the vendor's client accepts, our stand-in must give.
//   node realtime_check.mjs STACK_JSON (the ready line of stack.mjs); prints one line a check, ends with 1 when one fails.
import { createRequire } from 'node:module';

const { url, key, control, gateways, modules } = JSON.parse(process.argv[2]);
const load = createRequire(`${modules}/`);
const { createClient } = load('@supabase/supabase-js');
const ws = load('ws');
const [box] = gateways;
let failed = 0;
const check = (name, good, detail = '') => { console.log(`${good ? 'ok' : 'not ok'} - ${name}${good ? '' : ` ${detail}`}`); failed += good ? 0 : 1; };
const sql = async (text) => {
  const answer = await fetch(`${control}/sql`, { method: 'POST', body: text });
  if (!answer.ok) throw new Error(await answer.text());
};
const within = (promise, ms = 5000) => Promise.race([promise, new Promise((resolve) => setTimeout(() => resolve('timeout'), ms))]);
const subscribed = (channel) => within(new Promise((resolve) => channel.subscribe((status) => { if (status !== 'CLOSED') resolve(status); })));
const row = `insert into public.scheduled_messages (phone_number, message_content, scheduled_send_time, status)
  values ('+15550100123', 'x', now(), 'scheduled')`;

for (const vsn of ['1.0.0', '2.0.0']) {
  const client = createClient(url, key, { realtime: { transport: ws, vsn }, auth: { persistSession: false, autoRefreshToken: false } });
  const { error } = await client.auth.signInWithPassword({ email: box.email, password: box.password });
  check(`${vsn}: login`, !error, error?.message);
  await client.realtime.setAuth();
  let rung;
  const ring = new Promise((resolve) => { rung = resolve; });
  const pool = client.channel(`gw-pool:${box.pool}`, { config: { private: true } }).on('broadcast', { event: 'doorbell' }, rung);
  check(`${vsn}: the box joins the channel of its pool`, await subscribed(pool) === 'SUBSCRIBED');
  await sql(row);
  const heard = await within(ring);
  check(`${vsn}: a row rings`, heard.event === 'doorbell' && typeof heard.payload?.id === 'string', JSON.stringify(heard));
  check(`${vsn}: a foreign pool is refused`, await subscribed(client.channel('gw-pool:other', { config: { private: true } })) === 'CHANNEL_ERROR');
  await client.removeAllChannels();
  client.realtime.disconnect();
}
process.exit(failed ? 1 : 0);
