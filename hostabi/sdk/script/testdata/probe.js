// The probe of hostabi/conformance/probe.md. Lines are handled as text of one character a byte, so that any byte comes back as it came.
const LINES = 'delimiter 0a 1024 line';
const framing = LINES;
const CLIENTS = 2000;

let clients = 0;

const raw = (b) => { let s = ''; for (const c of b) s += String.fromCharCode(c); return s; };
const unraw = (s) => Uint8Array.from(s, (c) => c.charCodeAt(0));
const decode = (s) => text(unraw(s));

// The configuration, one character a byte: it is bytes if it is not UTF-8.
const given = config === undefined ? '' : raw(config instanceof Uint8Array ? config : bytes(typeof config === 'string' ? config : JSON.stringify(config)));
if (given.startsWith('refuse')) throw new Error('refused');

// The words of a line, for commands that take them one by one.
class Words {
  constructor(line) { this.rest = line; this.more = true; this.bad = false; }
  word() {
    if (!this.more) { this.bad = true; return ''; }
    const end = this.rest.indexOf(' ');
    const word = end < 0 ? this.rest : this.rest.slice(0, end);
    this.more = end >= 0;
    this.rest = this.more ? this.rest.slice(end + 1) : '';
    if (word === '') this.bad = true;
    return word;
  }
  number() {
    const word = this.word();
    if (!/^[0-9]{1,10}$/.test(word) || Number(word) > 4294967295) this.bad = true;
    return Number(word);
  }
  text() { const rest = this.rest; this.rest = ''; this.more = false; return rest; }
  whole() { return !this.bad && !this.more; }
}

// Answers are sent together at the end of the event, where promises run.
function say(conn, line) {
  if (conn.answer === '') Promise.resolve().then(() => { conn.send(unraw(conn.answer)); conn.answer = ''; });
  conn.answer += line + '\n';
}

// Answers a refusal, or ok to a call that is answered at once.
function accepted(conn, name, code, ok) {
  if (code !== 0) say(conn, `refused ${name} ${code}`);
  else if (ok) say(conn, 'ok');
  return code === 0;
}

// The callbacks of a connection: one for each call.
const results = (conn) => [1, 2, 3, 4, 5].map((token) => (r) => {
  say(conn, `result ${token} ${r.code}` + (r.message ? ' ' + raw(bytes(r.message)) : ''));
  if (token === 1) conn.resume();
  if (r.state) say(conn, 'kept ' + raw(r.state));
});

const commands = {
  echo(conn, w) { say(conn, w.text()); },
  auth(conn, w, name) {
    const client = { protocol: 'probe', version: '1', mountpoint: decode(conn.prefix), hold: false };
    client.clientId = decode(w.word());
    if (w.more) client.username = decode(w.word());
    client.password = decode(w.text());
    if (!w.whole()) return false;
    accepted(conn, name, conn.login(client, conn.results[0]));
  },
  pub(conn, w, name) {
    const topic = decode(w.word()), qos = w.number(), payload = unraw(w.text());
    if (!w.whole()) return false;
    accepted(conn, name, conn.publish(topic, payload, { qos }, conn.results[1]));
  },
  quiet(conn, w, name) {
    const topic = decode(w.word()), qos = w.number(), payload = unraw(w.text());
    if (!w.whole()) return false;
    accepted(conn, name, conn.publish(topic, payload, { qos }), true);
  },
  sub(conn, w, name) {
    const filter = decode(w.word()), qos = w.number();
    if (!w.whole()) return false;
    accepted(conn, name, conn.subscribe(filter, { qos }, conn.results[2]));
  },
  unsub(conn, w, name) {
    const filter = decode(w.word());
    if (!w.whole()) return false;
    accepted(conn, name, conn.unsubscribe(filter, conn.results[3]));
  },
  save(conn, w, name) { accepted(conn, name, conn.saveState(unraw(w.text()), conn.results[4])); },
  timer(conn, w, name) {
    const seconds = w.number();
    if (!w.whole()) return false;
    accepted(conn, name, conn.keepAlive(seconds), true);
  },
  alarm(conn, w, name) {
    const id = w.number(), ms = w.number();
    if (!w.whole()) return false;
    accepted(conn, name, conn.setTimer(id, ms | 0), true);
  },
  mount(conn, w) {
    const prefix = w.word();
    if (prefix.length > 64 || !w.whole()) return false;
    conn.prefix = prefix;
    say(conn, 'ok');
  },
  log(conn, w) {
    const level = w.word(), said = decode(w.text());
    if (!w.whole() || !['debug', 'info', 'warn', 'error'].includes(level)) return false;
    console[level](said);
    say(conn, 'ok');
  },
  close(conn, w, name) { accepted(conn, name, conn.close(decode(w.text()))); },
  frame(conn, w) {
    const notation = w.text(), words = notation.split(' ');
    const size = { delimiter: words[2], length: words[5], fixed: words[1], escape: words[4] }[words[0]];
    try {
      if (Number(size) > 4096) throw new RangeError('too long');
      conn.setFraming(notation);
    } catch {
      return say(conn, 'error framing');
    }
    conn.framed = true;
    say(conn, 'ok');
  },
};

const bare = {
  config(conn) { say(conn, 'config ' + given); },
  state(conn) { say(conn, 'state ' + conn.lines); },
  resume(conn) { accepted(conn, 'resume', conn.resume(), true); },
  pause(conn) { conn.pause(); },
  leave(conn) { conn.close(); },
  trap() { throw new Error('out of memory'); }, // ends the instance
};

function run(conn, line) {
  const w = new Words(line);
  const name = w.word();
  w.bad = false;
  if (Object.hasOwn(bare, name)) {
    if (w.whole()) bare[name](conn);
    else say(conn, 'error usage');
  } else if (!Object.hasOwn(commands, name)) {
    say(conn, 'error command');
  } else if (commands[name](conn, w, name) === false) {
    say(conn, 'error usage');
  }
}

function onConnect(conn) {
  if (clients === CLIENTS) return conn.close();
  clients++;
  conn.lines = 0;
  conn.prefix = '';
  conn.answer = '';
  conn.results = results(conn);
  const type = ['tcp', 'tls', 'udp', 'dtls'].indexOf(conn.transport);
  const at = (a) => `${a.host}:${a.port}`;
  say(conn, `created type=${type} peer=${at(conn.peer)} local=${at(conn.local)} cn=${raw(bytes(conn.certificate.commonName))} ` +
    `dn=${raw(bytes(conn.certificate.subject))}`);
}

function onFrame(conn, frame) {
  const line = raw(frame);
  if (!conn.framed) {
    conn.lines++;
    if (line !== '') run(conn, line);
  } else if (line === 'lines') {
    conn.framed = false;
    conn.setFraming(LINES);
    say(conn, 'ok');
  } else {
    say(conn, 'frame ' + hex(frame));
  }
}

function onFrameError(conn, what) {
  if (conn.framed) return say(conn, 'frame error ' + what);
  conn.lines++;
  say(conn, 'error long');
}

function onMessage(conn, m) {
  const head = `message node=${m.node} id=${m.id} qos=${m.qos} from=${m.from} topic=${m.topic} at=${m.timestamp} payload=`;
  const start = bytes(head), all = new Uint8Array(start.length + m.payload.length + 1);
  all.set(start);
  all.set(m.payload, start.length);
  all[all.length - 1] = 10;
  conn.send(all);
}

function onTimer(conn, id) { say(conn, 'alarm ' + id); }
function onKeepAlive(conn) { say(conn, 'timer 0'); }
function onDrain(conn) { say(conn, 'drain'); }

function onClose(conn, reason) {
  clients--;
  console.log('closed ' + reason);
}
