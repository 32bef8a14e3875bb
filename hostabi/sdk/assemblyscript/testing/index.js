// A fake gateway for tests of modules that run in Node.js: it delivers events and records the module's calls.

import { readFile } from "node:fs/promises";
import { allFields, bytesField, fields, message, number, text } from "./protobuf.js";

/** The result of an event. */
export const Action = { Continue: 0, Pause: 1, Close: 2 };

const imports = "exproto_v1";

/** Describes the properties that are set, each after a space. */
function describe(encoded) {
  const quote = (b) => JSON.stringify(Buffer.from(b).toString("latin1"));
  let line = "";
  for (const [field, value] of allFields(encoded)) {
    if (field === 1) line += " retain=1";
    else if (field === 2) line += ` expiry=${value}`;
    else if (field === 6) {
      const pair = fields(value);
      line += ` user=${quote(pair.get(1) ?? "")}=${quote(pair.get(2) ?? "")}`;
    } else line += ` ${["", "", "", "type", "response", "correlation"][field]}=${quote(value)}`;
  }
  return line;
}

const pairs = (field, all = []) => all.flatMap((p) => [...bytesField(field, message(text(1, p.name), text(2, p.value)), true)]);

function properties(p) {
  if (!p) return [];
  const correlation = bytesField(5, p.correlation);
  return bytesField(
    8,
    message(number(1, p.retain ? 1 : 0), number(2, p.expiry), text(3, p.contentType), text(4, p.responseTopic), correlation, pairs(6, p.user)),
  );
}

/** A running instance of a module. */
export class Gateway {
  #exports;
  #calls = [];
  #sent = new Map();
  #refused = new Map();

  /**
   * Starts the module in a file. Rejects with the lines of the log if the module refuses its configuration.
   *
   * @param {string | URL} file
   * @param {string | Uint8Array} config
   */
  static async start(file, config = "") {
    const gateway = new Gateway();
    const { instance } = await WebAssembly.instantiate(await readFile(file), { [imports]: gateway.#imports() });
    gateway.#exports = instance.exports;
    instance.exports._initialize?.();
    if (instance.exports.exproto_v1_init(...gateway.#put(config)) !== 0) throw new Error(gateway.calls().join("\n"));
    return gateway;
  }

  /** Connects a device. info may have socketType, peer and local ({host, port}), peerCert ({cn, dn}), and properties ([{name, value}]). */
  created(conn, info = {}) {
    const address = (a = {}) => message(text(1, a.host), number(2, a.port));
    const cert = info.peerCert ? bytesField(4, message(text(1, info.peerCert.cn), text(2, info.peerCert.dn)), true) : [];
    return this.#event(1, conn, 0, message(number(1, info.socketType), bytesField(2, address(info.peer)), bytesField(3, address(info.local)), cert, pairs(5, info.properties)));
  }

  /** Delivers bytes from a device. */
  bytes(conn, bytes) {
    return this.#exports.exproto_v1_bytes(BigInt(conn), ...this.#put(bytes));
  }

  /** Disconnects a device. */
  closed(conn, why) {
    this.#event(2, conn, 0, why);
  }

  /** Delivers the keepalive timeout of a connection. */
  timer(conn) {
    return this.#event(3, conn, 0, "");
  }

  /** Delivers the alarm of a timer of a connection. */
  alarm(conn, id) {
    return this.#event(7, conn, id, "");
  }

  /** Delivers messages for a connection's subscriptions; each may have node, id, qos, from, topic, payload, timestamp. */
  messages(conn, ...all) {
    const encoded = all.map((m) =>
      bytesField(
        2,
        message(text(1, m.node), text(2, m.id), number(3, m.qos), text(4, m.from), text(5, m.topic), bytesField(6, m.payload), number(7, m.timestamp), properties(m.properties)),
        true,
      ),
    );
    return this.#event(4, conn, all.length, message(...encoded));
  }

  /** Delivers the outcome of a call made with token. */
  result(conn, token, code = 0, why = "") {
    return this.#event(5, conn, token, message(number(1, code), text(2, why)));
  }

  /** Delivers the outcome of an authenticate that succeeded, with the state that the gateway keeps for the device. */
  loggedIn(conn, token, state) {
    return this.#event(5, conn, token, message(bytesField(3, state)));
  }

  /** Announces that the gateway stops, or that a newer version of the module is loaded. */
  drain(conn) {
    return this.#event(6, conn, 0, "");
  }

  /** Makes later calls with a name, such as publish, return code; 0 accepts them again. Refused calls are recorded too. */
  refuse(call, code) {
    this.#refused.set(call, code);
  }

  /** The calls since the last calls(), without send, as texts: name, connection, arguments. */
  calls() {
    return this.#calls.splice(0);
  }

  /** What was sent to the device since the last sent(). */
  sent(conn) {
    const all = Buffer.concat(this.#sent.get(BigInt(conn)) ?? []);
    this.#sent.delete(BigInt(conn));
    return all;
  }

  #event(kind, conn, arg, body) {
    return this.#exports.exproto_v1_event(kind, BigInt(conn), BigInt(arg), ...this.#put(body));
  }

  /** Writes a body into the module's buffer. */
  #put(body) {
    const bytes = Buffer.from(body);
    const at = this.#exports.exproto_v1_buffer(Math.max(bytes.length, 1 << 16)) >>> 0;
    if (at === 0) throw new Error(`the module has no buffer for ${bytes.length} bytes`);
    Buffer.from(this.#exports.memory.buffer, at, bytes.length).set(bytes);
    return [at, bytes.length];
  }

  #read(at, n) {
    return Buffer.from(Buffer.from(this.#exports.memory.buffer, at >>> 0, n));
  }

  #note(name, line) {
    this.#calls.push(`${name} ${line}`);
    return this.#refused.get(name) ?? 0;
  }

  #imports() {
    const quoted = (at, n) => JSON.stringify(this.#read(at, n).toString("latin1"));
    return {
      send: (conn, at, n) => {
        this.#sent.set(conn, [...(this.#sent.get(conn) ?? []), this.#read(at, n)]);
        return this.#refused.get("send") ?? 0;
      },
      close: (conn, at, n) => this.#note("close", `${conn} ${quoted(at, n)}`),
      authenticate: (conn, token, at, n) => {
        const request = fields(this.#read(at, n));
        const client = fields(request.get(2) ?? Buffer.alloc(0));
        const of = (from, field) => JSON.stringify((from.get(field) ?? "").toString());
        const [name, version, id, user, mountpoint] = [1, 2, 3, 4, 5].map((field) => of(client, field));
        const line = `proto=${name}/${version} clientid=${id} username=${user} mountpoint=${mountpoint} password=${of(request, 3)}`;
        return this.#note("authenticate", `${conn} token=${token} ${line}`);
      },
      start_timer: (conn, timer, seconds) => this.#note("start_timer", `${conn} type=${timer} seconds=${seconds >>> 0}`),
      set_timer: (conn, id, ms) => this.#note("set_timer", `${conn} id=${id >>> 0} ms=${ms}`),
      save_state: (conn, token, at, n) => this.#note("save_state", `${conn} token=${token} ${quoted(at, n)}`),
      publish: (conn, token, topic, topicN, qos, at, n) =>
        this.#note("publish", `${conn} token=${token} ${quoted(topic, topicN)} qos=${qos >>> 0} ${quoted(at, n)}`),
      publish_with: (conn, token, topic, topicN, qos, at, n, props, propsN) => {
        const p = describe(this.#read(props, propsN));
        return this.#note("publish_with", `${conn} token=${token} ${quoted(topic, topicN)} qos=${qos >>> 0} ${quoted(at, n)}${p}`);
      },
      subscribe: (conn, token, at, n, qos) => this.#note("subscribe", `${conn} token=${token} ${quoted(at, n)} qos=${qos >>> 0}`),
      unsubscribe: (conn, token, at, n) => this.#note("unsubscribe", `${conn} token=${token} ${quoted(at, n)}`),
      resume: (conn) => this.#note("resume", `${conn}`),
      log: (level, at, n) => {
        this.#note("log", `${level} ${quoted(at, n)}`);
      },
    };
  }
}
