#!/usr/bin/env node
// The project folder under the vendor's own CLI: `db push` as a role that is no superuser, as on a hosted project, and as a superuser, each on a
// fresh database (stack.mjs --bare); a second push that finds nothing to do; then `db lint` and `db advisors`, which must find nothing.
// Neither needs the cloud: lint runs plpgsql_check in the database, advisors the vendor's queries.
//
//   node cli.mjs        exit 0, or 1 with what was found; 77 where the CLI is not installed
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const repo = path.resolve(here, '../../..');
const folders = [process.env.CONDUCTOR_NODE_MODULES, path.join(repo, 'build/npm/node_modules')].filter(Boolean);
const cli = folders.map((dir) => path.join(dir, '.bin/supabase')).find((file) => fs.existsSync(file));
if (!cli) {
  console.error('cli: missing: npm package supabase (tools/deps --release installs it)');
  process.exit(77);
}

function run(what, argv, expected) {
  const done = spawnSync(cli, ['--workdir', path.join(repo, 'sync'), ...argv], { encoding: 'utf8', timeout: 120000,
    env: { ...process.env, DO_NOT_TRACK: '1', SUPABASE_TELEMETRY_DISABLED: '1' } });
  const output = `${done.stdout}${done.stderr}`;
  const good = done.status === 0 && expected.test(output);
  console.log(`${good ? 'ok' : 'not ok'} - ${what}`);
  if (!good) console.log(output);
  return good;
}

let failed = 0;
for (const role of ['hosted_postgres', 'postgres']) {
  const stack = spawn('node', [path.join(here, 'stack.mjs'), '--bare', '--no-rest', '--gateways', '0'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => stack.on('exit', resolve));
  const ready = await new Promise((resolve, reject) => {
    let text = '';
    stack.stdout.on('data', (d) => { text += d; if (text.includes('\n')) resolve(JSON.parse(text)); });
    ended.then((code) => reject(new Error(`the stack ended with ${code}`)));
  });
  const superuser = `${ready.dsn}?sslmode=disable`;
  const url = superuser.replace('postgres@', `${role}@`);
  const steps = [
    ['db push', ['db', 'push', `--remote=${url}`, '--yes'], /Finished supabase db push/],
    ['a second push', ['db', 'push', `--remote=${url}`, '--yes'], /up to date/i],
    ['db lint', ['db', 'lint', `--remote=${superuser}`, '--level', 'warning', '--fail-on', 'warning'], /No schema errors found/],
    ['db advisors', ['db', 'advisors', `--remote=${superuser}`, '--level', 'warn', '--fail-on', 'warn'], /./],
  ];
  for (const [what, argv, expected] of steps) if (!run(`${what}, ${role}`, argv, expected)) failed += 1;
  stack.stdin.end();
  await ended;
}
process.exit(failed ? 1 : 0);
