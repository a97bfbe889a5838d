#!/usr/bin/env node
// What the project's database must do in which time, measured on a stack of its own (stack.mjs): claims among a million scheduled rows, goes, results
// pushed through PostgREST, and every insight at the seed's volume, read by a viewer under row-level security.
//
//   node speed.mjs [--rows 1000000] [--scale 1] [--plans FILE] [--keep]
//
// Prints a table: the processor time of the database's process (the median of several runs), and the time on the clock, which is longer by what
// else the machine does. Where the former is beyond its limit the line is marked, and the exit is 1. The plans go to FILE (speed-plans.txt). --keep leaves the stack up.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const args = process.argv.slice(2);
const option = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
const rows = Number(option('--rows', '1000000'));
const scale = option('--scale', '1');
const planFile = option('--plans', 'speed-plans.txt');
fs.writeFileSync(planFile, '');

const stack = spawn('node', [path.join(here, 'stack.mjs'), '--memory', '128MB'], { stdio: ['pipe', 'pipe', 'inherit'] });
stack.on('exit', (code) => { if (code) process.exit(code); });
const ready = await new Promise((resolve) => {
  let text = '';
  stack.stdout.on('data', (d) => { text += d; if (text.includes('\n')) resolve(JSON.parse(text.slice(0, text.indexOf('\n')))); });
});
const psqlBin = [process.env.PG_BIN, '/usr/lib/postgresql/15/bin'].filter(Boolean).map((d) => path.join(d, 'psql')).find((f) => fs.existsSync(f)) ?? 'psql';

/** One session of psql; what it prints. */
function psql(sql) {
  const run = spawnSync(psqlBin, ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-f', '-', ready.dsn], { input: sql, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`psql: ${run.stderr}\n${sql.slice(0, 300)}`);
  return run.stdout;
}
/** {wall, cpu} in milliseconds of each statement, in one session that begins with `setup`; cpu is that of the session's process. The answers are
 *  fetched and thrown away. */
function times(setup, statements) {
  const cpu = '\\! cut -d" " -f1 /proc/$BACKEND/schedstat';
  const text = [setup, 'select pg_backend_pid() as pid \\gset', '\\setenv BACKEND :pid', '\\timing on',
    ...statements.flatMap((s) => [cpu, '\\o /dev/null', s, '\\o']), cpu].join('\n');
  const lines = psql(text).split('\n');
  const used = lines.filter((l) => /^\d+$/.test(l)).map((l) => Number(l) / 1e6);
  const wall = lines.filter((l) => l.startsWith('Time: ')).map((l) => Number(l.split(' ')[1]));
  return wall.map((w, i) => ({ wall: w, cpu: used[i + 1] - used[i] }));
}
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) / 2)];
const as = (sub) => `set role authenticated; set request.jwt.claims = '${JSON.stringify({ role: 'authenticated', sub })}';`;

let failed = 0;
const show = (v) => (v >= 100 ? v.toFixed(0) : v.toFixed(1)).padStart(8);
function line(ok, what, text, limit) {
  if (!ok) failed += 1;
  console.log(`${ok ? '     ' : 'OVER '} ${what.padEnd(48)} ${text}   limit ${limit}`);
}
function report(what, figures, limit) {
  const [cpu, wall] = ['cpu', 'wall'].map((k) => figures.map((f) => f[k]));
  line(median(cpu) < limit, what, `cpu ${show(median(cpu))} ms   wall: best ${show(Math.min(...wall))} median ${show(median(wall))} worst ${show(Math.max(...wall))} ms`, limit);
}
function plan(title, setup, statement, nested = false) {
  const text = nested
    ? psqlErr(`load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on; set auto_explain.log_analyze = on;
       set auto_explain.log_timing = off; set client_min_messages = log; ${setup} \n\\o /dev/null\n begin; ${statement} rollback;`)
    : psql(`${setup} explain (analyze, buffers, timing off) ${statement}`);
  fs.appendFileSync(planFile, `==== ${title}\n${text}\n`);
}
function psqlErr(sql) {
  return spawnSync(psqlBin, ['-X', '-q', '-At', '-f', '-', ready.dsn], { input: sql, encoding: 'utf8', maxBuffer: 1 << 28 }).stderr;
}

// --- insights -------------------------------------------------------------------------------------------------------------------------
const viewer = '99000000-0000-4000-8000-000000000001';
function insights() {
  const began = Date.now();
  psql(`set conductor.seed_scale = '${scale}'; set client_min_messages = error; ${fs.readFileSync(path.join(here, '../../../sync/supabase/seed.sql'), 'utf8')}`);
  psql(`vacuum analyze; insert into auth.users (id, email) values ('${viewer}', 'viewer@speed.example.com');
    insert into public.staff_roles (user_id, role) select '${viewer}', unnest(array['viewer', 'web']);`);
  const volume = psql(`select string_agg(format('%s %s', n, t), ', ') from (values
    ((select count(*) from customers), 'customers'), ((select count(*) from transactions), 'transactions'), ((select count(*) from transaction_items), 'items'),
    ((select count(*) from products), 'products'), ((select count(*) from scheduled_messages), 'messages')) v (n, t)`).trim();
  console.log(`insights, ${volume}; made in ${((Date.now() - began) / 1000).toFixed(0)} s`);
  const known = JSON.parse(psql('select json_agg(json_build_array(name, cardinality(parameters)) order by name) from public.insights'));
  const phone = psql(`select c.phone from customers c join transactions t on t.customer_id = c.member_id where c.phone <> '' group by 1 order by count(*) desc limit 1`).trim();
  const parameters = { customer_by_phone: [phone], purchase_history: [phone], product_recommendations: ['seed-3'], customer_by_device: ['print-7', 'address-7'],
    profile_by_email: ['web7@example.com'], active_bundle: ['web7@example.com'], recent_events: ['web7@example.com'],
    devices_of_customer: ['web7@example.com'], customers_on_device: ['print-7'] };
  for (const [name, count] of known) {
    if (count !== (parameters[name]?.length ?? 0)) throw new Error(`no parameters for ${name}`);
    const statement = `select * from public.${name}${count ? `(${parameters[name].map((p) => `'${p}'`).join(', ')})` : ''};`;
    report(name, times(as(viewer), Array(5).fill(statement)), 300);
    plan(name, as(viewer), statement);
  }
  const context = `select * from public.customer_sms_context where phone = '${phone}';`;
  report('customer_sms_context by phone', times(as(viewer), Array(9).fill(context)), 5);
  plan('customer_sms_context', as(viewer), context);
  report('recalculate_v1, everything', times('', [`select public.recalculate_v1('{"everything": true}');`]), 8000);
  report('recalculate_v1, after one sale', times('', [`update public.transactions set total_amount = total_amount + 1 where transaction_id = 'seed-7';`,
    'select public.recalculate_v1();', 'select public.recalculate_v1();']).slice(1), 1000);
}

// --- the queue ------------------------------------------------------------------------------------------------------------------------
const box = () => psql("select auth_user_id from public.gateways where id = 'box-1'").trim();
function claims(due) {
  for (const limit of [20, 200]) {
    const claim = `select jsonb_array_length(public.gw_claim_v1('{"limit": ${limit}}') -> 'jobs');`;
    const expected = Math.min(limit, due);
    const got = Number(psql(`${as(box())} begin; ${claim} rollback;`));
    if (got !== expected) throw new Error(`a claim of ${limit} with ${due} due gave ${got}`);
    const cold = Array.from({ length: 5 }, () => times(as(box()), ['begin;', claim, 'rollback;'])[1]);
    report(`claim of ${limit}, ${due} due, first of a session`, cold, 50);
    const warm = times(as(box()), Array(9).fill(['begin;', claim, 'rollback;']).flat()).filter((_, i) => i % 3 === 1).slice(2);
    report(`claim of ${limit}, ${due} due`, warm, 50);
    plan(`claim of ${limit}, ${due} due`, as(box()).replace('set role authenticated;', ''), claim, true);
  }
}
function queue() {
  const began = Date.now();
  const quietly = (sql) => psql(`set session_replication_role = replica; ${sql}`);
  quietly(`insert into public.scheduled_messages (phone_number, message_content, scheduled_send_time, status, priority)
    select '+1555' || lpad((i % 10000000)::text, 7, '0'), 'Row ' || i || ': your order is ready for pickup today until eight.',
           now() - interval '1 hour' - make_interval(secs => i % 3600), 'scheduled', i % 100 from generate_series(1, ${rows}) i;`);
  psql('vacuum analyze public.scheduled_messages');
  console.log(`queue, ${rows} scheduled rows; made in ${((Date.now() - began) / 1000).toFixed(0)} s`);
  claims(rows);
  quietly(`update public.scheduled_messages set scheduled_send_time = now() + interval '10 days' + make_interval(secs => (id % 864000)::integer);`);
  psql('vacuum analyze public.scheduled_messages');
  claims(0);
  for (const due of [50, 200]) {
    quietly(`update public.scheduled_messages set scheduled_send_time = now() - interval '1 minute'
      where id in (select id from public.scheduled_messages where status = 'scheduled' order by id limit ${due}); analyze public.scheduled_messages;`);
    claims(due);
  }
  // what no call leaves queued any more: rows of later, better than those that are due
  const later = Math.min(100000, rows / 10);
  quietly(`update public.scheduled_messages set status = 'queued', claim_rank = scheduled_send_time, priority = 100
    where id in (select id from public.scheduled_messages where status = 'scheduled' and scheduled_send_time > now() limit ${later}); analyze public.scheduled_messages;`);
  const claim = `select jsonb_array_length(public.gw_claim_v1('{"limit": 20, "horizon_s": 300}') -> 'jobs');`;
  const passing = times(as(box()), Array(5).fill(['begin;', claim, 'rollback;']).flat()).filter((_, i) => i % 3 === 1).slice(1);
  report(`claim of 20, 200 due, ${later} queued for later`, passing, 50);
  quietly(`update public.scheduled_messages set status = 'scheduled', priority = 50 where status = 'queued'; analyze public.scheduled_messages;`);
}

// --- goes and leases --------------------------------------------------------------------------------------------------------------------
function leases() {
  psql(`set session_replication_role = replica; update public.scheduled_messages set status = 'claimed', claimed_by = 'box-1', claim_epoch = 1, revision = 1,
      scheduled_send_time = now(), lease_expires_at = now() + interval '1 hour' where id in (select id from public.scheduled_messages order by id limit 1000);`);
  const asked = (n) => psql(`select jsonb_build_object('jobs', jsonb_agg(jsonb_build_object('id', id, 'epoch', 1, 'revision', 1, 'phone_number', phone_number)))
    from (select * from public.scheduled_messages where status = 'claimed' order by id limit ${n}) x`).trim();
  for (const [call, n, limit] of [['gw_begin_v1', 20, 20], ['gw_begin_v1', 100, 50], ['gw_renew_v1', 1000, 300]]) {
    const ask = `select count(*) from jsonb_array_elements(public.${call}('${asked(n)}') -> 'jobs') j where j ->> 'reason' is null;`;
    const good = Number(psql(`${as(box())} begin; ${ask} rollback;`));
    if (good !== n) throw new Error(`${call} of ${n} rows said yes to ${good}`);
    report(`${call} of ${n} rows`, times(as(box()), Array(6).fill(['begin;', ask, 'rollback;']).flat()).filter((_, i) => i % 3 === 1).slice(1), limit);
  }
}

// --- results --------------------------------------------------------------------------------------------------------------------------
async function results() {
  const count = 5000;
  psql(`set session_replication_role = replica; update public.scheduled_messages set status = 'sending', claimed_by = 'box-1', claim_epoch = 1,
      lease_expires_at = now() + interval '1 hour' where id in (select id from public.scheduled_messages order by id desc limit ${count});`);
  const ids = psql(`select id from public.scheduled_messages where status = 'sending' order by id`).trim().split('\n');
  const call = async (route, body, token) => {
    const answer = await fetch(`${ready.url}${route}`, { method: 'POST', body: JSON.stringify(body),
      headers: { apikey: ready.key, 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) } });
    if (!answer.ok) throw new Error(`${route}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const { access_token: token } = await call('/auth/v1/token?grant_type=password', { email: ready.email, password: ready.password });
  for (const kind of ['sent', 'delivered']) {
    const rates = [];
    for (let from = 0; from < count; from += 1000) {
      const began = performance.now();
      for (let batch = from; batch < from + 1000; batch += 100) {
        const items = ids.slice(batch, batch + 100).map((id) => ({ event_id: crypto.randomUUID(), kind, job_id: Number(id), epoch: 1, at: new Date().toISOString(),
          modem_index: 0, parts: 1, delivery_status: 'pending', cost: 0.01, iccid: '89490000000000000001' }));
        const { verdicts } = await call('/rest/v1/rpc/gw_report_v1', { p: { items } }, token);
        if (!verdicts.every((v) => v.verdict === 'applied')) throw new Error(JSON.stringify(verdicts.find((v) => v.verdict !== 'applied')));
      }
      rates.push(1000 / ((performance.now() - began) / 1000));
    }
    // the best: the clock tells of this program, the proxy and what else the machine does as well
    line(Math.max(...rates) >= 2000, `gw_report_v1 "${kind}", 100 a call, by PostgREST`, `best ${show(Math.max(...rates))} median ${show(median(rates))} rows/s on the clock`, 2000);
  }
  psql(`set session_replication_role = replica; update public.scheduled_messages set status = 'sending', claimed_by = 'box-1', claim_epoch = 1,
      lease_expires_at = now() + interval '1 hour' where id in (select id from public.scheduled_messages where status = 'scheduled' order by id desc limit ${count});`);
  const calls = psql(`select jsonb_build_object('items', jsonb_agg(jsonb_build_object('event_id', gen_random_uuid(), 'kind', 'sent', 'job_id', id, 'epoch', 1, 'at', now(),
      'modem_index', 0, 'parts', 1, 'delivery_status', 'pending', 'cost', 0.01, 'iccid', '89490000000000000001')))
    from (select id, row_number() over (order by id) / 100 as n from public.scheduled_messages where status = 'sending') x group by n`).trim().split('\n');
  const each = times(as(box()), calls.map((p) => `select public.gw_report_v1('${p}');`)).slice(2, -1);
  const cpu = 100000 / median(each.map((e) => e.cpu));
  line(cpu >= 2000, 'gw_report_v1 "sent", 100 a call, in PostgreSQL', `${show(cpu)} rows/s of processor time, ${show(100000 / median(each.map((e) => e.wall)))} on the clock`, 2000);
  const items = ids.slice(0, 100).map((id) => ({ event_id: crypto.randomUUID(), kind: 'delivered', job_id: Number(id), epoch: 1, at: new Date().toISOString() }));
  plan('gw_report_v1, 3 of its items', as(box()).replace('set role authenticated;', ''), `select public.gw_report_v1('${JSON.stringify({ items: items.slice(0, 3) })}');`, true);
}

try {
  if (!args.includes('--no-insights')) insights();
  if (!args.includes('--no-queue')) { queue(); leases(); await results(); }
} catch (e) {
  failed += 1;
  console.error(e.message);
}
console.log(failed ? `${failed} beyond their limits` : 'all within their limits', `; plans in ${planFile}`);
if (args.includes('--keep')) await new Promise(() => {});
stack.stdin.end();
await new Promise((resolve) => stack.on('exit', resolve));
process.exit(failed ? 1 : 0);
