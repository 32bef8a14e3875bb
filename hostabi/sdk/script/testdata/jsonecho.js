// The JSON echo protocol of wasm-examples/jsonecho: JSON objects with nothing between them, one at a time.
const MAX = 65536;
const REFUSED = 10;

function onConnect(conn) {
  conn.input = [];
  conn.depth = 0;
  conn.refused = 0;
  conn.later = [];
}

function onBytes(conn, received) {
  conn.later.push(...received);
  run(conn);
}

function run(conn) {
  while (!conn.waiting && !conn.ended) {
    const frame = next(conn);
    if (frame === undefined) break;
    let request;
    try { request = frame === null ? null : JSON.parse(text(frame)); } catch { request = null; }
    if (request === null || typeof request !== 'object') end(conn);
    else handle(conn, request);
  }
  if (conn.waiting) conn.pause();
}

// Returns the bytes of the next object, undefined if it is not complete, and null if there is none.
function next(conn) {
  for (let i = 0; i < conn.later.length; i++) {
    const c = conn.later[i];
    if (conn.escaped) conn.escaped = false;
    else if (conn.quoted) {
      if (c === 0x5c) conn.escaped = true;
      if (c === 0x22) conn.quoted = false;
    } else if (c === 0x22 && conn.depth > 0) conn.quoted = true;
    else if (c === 0x7b) conn.depth++;
    else if (c === 0x7d && --conn.depth === 0) {
      const frame = conn.input.concat(conn.later.slice(0, i + 1));
      conn.later = conn.later.slice(i + 1);
      conn.input = [];
      return frame;
    }
    if (conn.depth <= 0 && !' \t\r\n'.includes(String.fromCharCode(c))) return null;
  }
  conn.input = conn.input.concat(conn.later);
  conn.later = [];
  return conn.input.length > MAX ? null : undefined;
}

function end(conn) {
  conn.ended = true;
  conn.close();
}

const send = (conn, o) => conn.send(JSON.stringify(o));

// Holds later frames back until the call is answered.
function wait(conn, call, then) {
  conn.waiting = true;
  const answered = (ok) => {
    conn.waiting = false;
    if (conn.ended) return;
    then(ok);
    conn.refused = ok ? 0 : conn.refused + 1;
    if (conn.refused >= REFUSED && !conn.ended) end(conn);
  };
  if (call((r) => { answered(r.ok); conn.resume(); run(conn); }) !== 0) answered(false);
}

const ack = (conn, type) => (ok) => send(conn, { type, code: ok ? 0 : 1 });

function handle(conn, r) {
  const qos = r.qos ?? 0;
  switch (r.type) {
    case 1: {
      const c = r.clientinfo ?? {};
      const client = {
        protocol: c.proto_name, version: c.proto_ver, clientId: c.clientid, username: c.username, mountpoint: c.mountpoint, password: r.password,
        hold: false,
      };
      return wait(conn, (done) => conn.login(client, done), (ok) => {
        if (ok && c.keepalive) conn.keepAlive(c.keepalive);
        send(conn, { type: 2, code: ok ? 0 : 1 });
        if (!ok) end(conn);
      });
    }
    case 3:
    case 10: return wait(conn, (done) => conn.publish(r.topic ?? '', r.payload ?? '', { qos }, done), ack(conn, 4));
    case 5: return wait(conn, (done) => conn.subscribe(r.topic ?? '', { qos }, done), ack(conn, 6));
    case 7: return wait(conn, (done) => conn.unsubscribe(r.topic ?? '', done), ack(conn, 8));
    default: end(conn);
  }
}

function onMessage(conn, m) {
  if (!conn.ended) send(conn, { type: 3, topic: m.topic, qos: m.qos, payload: m.text() });
}

function onKeepAlive(conn) {
  send(conn, { type: 9 });
  end(conn);
}
