// Realtime as a client of broadcasts sees it: Phoenix channels over a websocket, private channels by the row-level security of
// realtime.messages, broadcasts from what realtime.send wrote (the prelude notifies it). Both protocol versions. The unmodified
// supabase-js is run against it (realtime_check.mjs), so that it cannot drift from what the vendor's client accepts.
import net from 'node:net';

/** A connection to PostgreSQL with trust authentication: simple queries, notifications. */
class Postgres {
  constructor(port, database, notified = () => {}) {
    this.queue = [];
    this.buffer = Buffer.alloc(0);
    this.notified = notified;
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.on('data', (d) => this.read(d)).on('error', () => {}).on('close', () => this.fail('connection lost'));
    const parameters = Buffer.from(`user\0postgres\0database\0${database}\0\0`);
    const head = Buffer.alloc(8);
    head.writeInt32BE(8 + parameters.length, 0);
    head.writeInt32BE(196608, 4);
    this.socket.write(Buffer.concat([head, parameters]));
    this.queue.push({ sent: true, rows: [], resolve: () => {}, reject: () => {} });
  }
  query(sql) {
    return new Promise((resolve, reject) => {
      this.queue.push({ sql, sent: false, rows: [], resolve, reject });
      this.next();
    });
  }
  next() {
    const first = this.queue[0];
    if (!first || first.sent) return;
    first.sent = true;
    const text = Buffer.from(`${first.sql}\0`);
    const head = Buffer.alloc(5);
    head.write('Q');
    head.writeInt32BE(4 + text.length, 1);
    this.socket.write(Buffer.concat([head, text]));
  }
  fail(why) { for (const q of this.queue.splice(0)) q.reject(new Error(why)); }
  read(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    while (this.buffer.length >= 5) {
      const size = 1 + this.buffer.readInt32BE(1);
      if (this.buffer.length < size) return;
      const [kind, body] = [String.fromCharCode(this.buffer[0]), this.buffer.subarray(5, size)];
      this.buffer = this.buffer.subarray(size);
      const first = this.queue[0];
      if (kind === 'D' && first) {
        const row = [];
        for (let at = 2, n = body.readInt16BE(0); n > 0; --n) {
          const length = body.readInt32BE(at);
          at += 4;
          row.push(length < 0 ? null : body.subarray(at, at + length).toString());
          at += Math.max(length, 0);
        }
        first.rows.push(row);
      } else if (kind === 'E' && first) {
        first.error = body.toString().replaceAll('\0', ' ');
      } else if (kind === 'A') {
        const [, payload] = body.subarray(4).toString().split('\0');
        this.notified(payload);
      } else if (kind === 'Z' && first) {
        this.queue.shift();
        if (first.error) first.reject(new Error(first.error)); else first.resolve(first.rows);
        this.next();
      }
    }
  }
}
const quote = (text) => `'${String(text).replaceAll("'", "''")}'`;

/** `verify` gives the claims of a token, or throws with Realtime's reason. */
export function realtime({ WebSocketServer, port, database, key, verify }) {
  const sockets = new Set();
  const state = { mute: false, refuse: 0, drop: 0, joins: 0, joinError: '' };
  const server = new WebSocketServer({ noServer: true });
  const judge = new Postgres(port, database);

  async function mayListen(claims, topic) {
    const sql = `begin; insert into realtime.messages (topic, extension, private) values (${quote(topic)}, 'broadcast', true);
      set local role ${claims.role === 'authenticated' ? 'authenticated' : 'anon'};
      select set_config('request.jwt.claims', ${quote(JSON.stringify(claims))}, true), set_config('realtime.topic', ${quote(topic)}, true);
      select 'seen', count(*) from realtime.messages where topic = ${quote(topic)} and extension = 'broadcast'; rollback`;
    const rows = await judge.query(sql);
    return rows.some(([word, n]) => word === 'seen' && Number(n) > 0);
  }

  const text = (c, joinRef, ref, topic, event, payload) =>
    c.ws.send(c.v2 ? JSON.stringify([joinRef, ref, topic, event, payload]) : JSON.stringify({ topic, event, payload, ref, join_ref: joinRef }));
  const reply = (c, m, status, response) => text(c, m.joinRef, m.ref, m.topic, 'phx_reply', { status, response });
  function close(c, channel, why) {
    clearTimeout(channel.timer);
    c.channels.delete(channel.topic);
    if (why) text(c, channel.joinRef, null, channel.topic, 'system', { extension: 'system', status: 'error', message: why, channel: channel.sub });
    text(c, channel.joinRef, channel.joinRef, channel.topic, 'phx_close', {});
  }
  function useToken(c, channel, token) {
    const claims = verify(token);
    clearTimeout(channel.timer);
    if (claims.exp) {
      const left = Math.max(0, claims.exp * 1000 - Date.now());
      channel.timer = setTimeout(() => { if (c.channels.get(channel.topic) === channel) close(c, channel, 'Token has expired'); }, Math.min(left, 2 ** 30));
    }
    return claims;
  }
  async function join(c, m) {
    ++state.joins;
    if (state.joinError) return reply(c, m, 'error', { reason: state.joinError });
    const channel = { topic: m.topic, sub: m.topic.replace(/^realtime:/, ''), joinRef: m.ref, isPrivate: !!m.payload.config?.private };
    if (!channel.sub) return reply(c, m, 'error', { reason: 'TopicNameRequired: You must provide a topic name' });
    const asked = m.payload.access_token;
    let claims;
    try { claims = useToken(c, channel, asked && !asked.startsWith('sb_') ? asked : key); } catch (e) { return reply(c, m, 'error', { reason: e.message }); }
    if (channel.isPrivate && !await mayListen(claims, channel.sub)) {
      clearTimeout(channel.timer);
      return reply(c, m, 'error', { reason: `Unauthorized: You do not have permissions to read from this Channel topic: ${channel.sub}` });
    }
    c.channels.set(m.topic, channel);
    reply(c, m, 'ok', { postgres_changes: [] });
    if (m.payload.config?.broadcast?.replication_ready) {
      text(c, m.ref, null, m.topic, 'system', { extension: 'system', status: 'ok', message: 'Replication connection established', channel: channel.sub });
    }
  }
  async function handle(c, data) {
    let m;
    try {
      const parsed = JSON.parse(data);
      m = c.v2 ? { joinRef: parsed[0], ref: parsed[1], topic: parsed[2], event: parsed[3], payload: parsed[4] }
        : { joinRef: parsed.join_ref ?? parsed.ref, ref: parsed.ref, topic: parsed.topic, event: parsed.event, payload: parsed.payload };
    } catch { return; }
    const channel = c.channels.get(m.topic);
    if (m.topic === 'phoenix' && m.event === 'heartbeat') { if (!state.mute) reply(c, m, 'ok', {}); return; }
    if (m.event === 'phx_join') return join(c, m);
    if (!channel) return;
    if (m.event === 'access_token') {
      try { useToken(c, channel, m.payload.access_token); } catch (e) { close(c, channel, e.message); }
    } else if (m.event === 'phx_leave') {
      reply(c, m, 'ok', {});
      close(c, channel);
    }
  }
  function broadcast(notice) {
    const { topic: sub, event, payload, private: isPrivate } = JSON.parse(notice);
    if (state.drop > 0) { --state.drop; return; }
    for (const c of sockets) {
      const channel = c.channels.get(`realtime:${sub}`);
      if (!channel || channel.isPrivate !== isPrivate) continue;
      if (!c.v2) { text(c, null, null, channel.topic, 'broadcast', { type: 'broadcast', event, payload }); continue; }
      const parts = [channel.topic, event, '', JSON.stringify(payload)].map((p) => Buffer.from(p));
      c.ws.send(Buffer.concat([Buffer.from([4, parts[0].length, parts[1].length, parts[2].length, 1]), ...parts]));
    }
  }
  const listener = new Postgres(port, database, broadcast);

  return {
    ready: listener.query('listen realtime'),
    upgrade(req, socket, head) {
      const url = new URL(req.url, 'http://localhost');
      const status = url.pathname !== '/realtime/v1/websocket' ? 404 : state.refuse || (url.searchParams.get('apikey') === key ? 0 : 401);
      if (status) {
        const body = JSON.stringify({ error: 'refused' });
        socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
        return;
      }
      server.handleUpgrade(req, socket, head, (ws) => {
        const c = { ws, v2: url.searchParams.get('vsn') === '2.0.0', channels: new Map() };
        sockets.add(c);
        ws.on('message', (data) => handle(c, data).catch(() => ws.terminate()));
        ws.on('error', () => {});
        ws.on('close', () => { sockets.delete(c); for (const channel of c.channels.values()) clearTimeout(channel.timer); });
      });
    },
    /** {mute, refuse: status, drop: n, joinError} set what happens from now on; do: "kill" | "close" | "error" | "garbage" | "flood" happens now. */
    control(body) {
      for (const name of Object.keys(state)) if (body[name] !== undefined) state[name] = body[name];
      for (const c of [...sockets]) {
        if (body.do === 'kill') c.ws.terminate();
        for (const channel of [...c.channels.values()]) {
          if (body.do === 'close') close(c, channel, body.why);
          if (body.do === 'error') text(c, channel.joinRef, channel.joinRef, channel.topic, 'phx_error', {});
        }
        if (body.do === 'flood') c.ws.send('x'.repeat(1 << 17));
        if (body.do === 'garbage') {
          for (const bad of ['', 'null', '[1,2', '[]', '{"a":1}', '[null,null,"realtime:x",7,{}]', '["1","1",null,"phx_reply","ok"]']) c.ws.send(bad);
          for (const bad of [[], [4], [4, 255, 255, 255, 1, 65], [9, 0, 0, 0, 0], [4, 0, 0, 0, 1]]) c.ws.send(Buffer.from(bad));
        }
      }
      return { ...state, sockets: sockets.size, channels: [...sockets].flatMap((c) => [...c.channels.keys()]).sort() };
    },
    end() {
      for (const c of sockets) c.ws.terminate();
      for (const db of [judge, listener]) db.socket.destroy();
    },
  };
}
