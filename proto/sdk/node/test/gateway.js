// A gateway for tests: it serves the adapter, and sends events to a handler in every dialect.

import { Client, credentials, Server as GrpcServer, Metadata, ServerCredentials } from '@grpc/grpc-js';
import { ADAPTER_SERVICE, contract, SESSION_SERVICE, STREAM_SERVICE, UNARY_SERVICE } from '../src/contract.js';
import { Handler, Server } from '../src/index.js';

export class FakeGateway {
  calls = [];
  codes = {};
  metadata = null;

  async start(serverCredentials = ServerCredentials.createInsecure()) {
    this.server = new GrpcServer();
    const methods = Object.keys(contract[ADAPTER_SERVICE]).map((name) => [name, this.#serve(name)]);
    this.server.addService(contract[ADAPTER_SERVICE], Object.fromEntries(methods));
    const port = await new Promise((resolve, reject) => {
      this.server.bindAsync('127.0.0.1:0', serverCredentials, (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    this.adapter = `127.0.0.1:${port}`;
  }

  #serve(name) {
    return ({ request, metadata }, answer) => {
      this.metadata = metadata;
      this.calls.push(`${name} ${shown(request)}`);
      answer(null, { code: this.codes[name] ?? 0 });
    };
  }

  connect(address, channelCredentials = credentials.createInsecure(), token = '') {
    this.client = new Client(address, channelCredentials, { 'grpc.enable_http_proxy': 0 });
    this.given = new Metadata();
    if (token) this.given.set('authorization', `Bearer ${token}`);
  }

  stop() {
    this.client.close();
    this.server.forceShutdown();
  }

  /** One event of the unary dialect, or of EMQX 4.2 with the other service. */
  unary(name, fields, { service = UNARY_SERVICE, ...options } = {}) {
    const { path, requestSerialize, responseDeserialize } = contract[service][name];
    return new Promise((resolve, reject) => {
      const answered = (error, answer) => (error ? reject(error) : resolve(answer));
      const call = this.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, fields, this.given, options, answered);
      options.signal?.addEventListener('abort', () => call.cancel());
    });
  }

  /** One stream of the stream dialect: write requests to it, end it, and wait for its answer. */
  stream(name) {
    const { path, requestSerialize, responseDeserialize } = contract[STREAM_SERVICE][name];
    let call;
    const answer = new Promise((resolve, reject) => {
      const answered = (error, value) => (error ? reject(error) : resolve(value));
      call = this.client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, this.given, {}, answered);
    });
    answer.catch(() => {});
    return { write: (fields) => call.write(fields), end: () => call.end(), cancel: () => call.cancel(), answer };
  }

  async session(hello = {}) {
    const { path, requestSerialize, responseDeserialize } = contract[SESSION_SERVICE].Session;
    const session = new FakeSession(this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.given, {}));
    session.send({ hello: { version: 1, node: 'fake', call_timeout_ms: 10_000, features: ['timers', 'state', 'properties'], ...hello } });
    session.hello = (await session.receive()).hello;
    return session;
  }
}

/** The gateway's side of one stream of the session dialect. */
class FakeSession {
  #frames = [];
  #commands = [];
  #failed = null;

  constructor(call) {
    this.call = call;
    call.on('data', (frame) => this.#frames.push(frame));
    call.on('error', (error) => (this.#failed = error));
    call.on('end', () => (this.ended = true));
  }

  send(frame) {
    this.call.write(frame);
  }

  events(...events) {
    this.send({ events });
  }

  async receive() {
    await until(() => this.#frames.length > 0 || this.#failed);
    if (this.#frames.length === 0) throw this.#failed;
    return this.#frames.shift();
  }

  /** The next commands, in the order in which they came. */
  async commands(count) {
    while (this.#commands.length < count) this.#commands.push(...(await this.receive()).commands);
    return this.#commands.splice(0, count).map(shown);
  }
}

/** Starts a server of a handler, and a gateway that is connected to it, until the test ends. */
export async function serve(t, handler, { adapterTLS, gatewayTLS, gatewayToken, ...settings } = {}) {
  const gateway = new FakeGateway();
  await gateway.start(adapterTLS);
  const log = (message) => gateway.log.push(message);
  gateway.log = [];
  gateway.handler = new Server(handler, { listen: '127.0.0.1:0', adapter: gateway.adapter, log, ...settings });
  gateway.address = await gateway.handler.start();
  gateway.connect(gateway.address, gatewayTLS, gatewayToken);
  t.after(async () => {
    gateway.stop();
    await gateway.handler.stop(0);
  });
  return gateway;
}

/** A handler class with what its handlers wrote down, and gates that callbacks wait at: those whose name is in gates until it is opened. */
export function recorder() {
  return class Recorder extends Handler {
    static events = [];
    static gates = {};

    static gate(name) {
      Recorder.gates[name] = new Promise((resolve) => (Recorder.open = resolve));
    }

    note(text) {
      Recorder.events.push(`${this.conn.id} ${text}`);
    }

    onSocketCreated(info) {
      this.note(`created ${info.socktype} ${info.peername.host}`);
    }

    onSocketResumed(_info, client) {
      this.note(`resumed ${client?.clientid ?? '?'}`);
    }

    async onReceivedBytes(data) {
      const text = data.toString();
      if (Recorder.gates[text]) {
        this.note(`begins ${text}`);
        await Recorder.gates[text];
      }
      if (text === 'fail') throw new Error('told to');
      if (text === 'publish') this.note(`published ${(await this.conn.publish('t', 'x', 1)).code}`);
      if (text === 'alarm') {
        const set = await this.conn.setTimer(3, 250);
        this.note(`set ${set.code} ${set.message}`);
        this.note(`cancelled ${(await this.conn.setTimer(3, -1)).code}`);
      }
      if (text === 'login') {
        await this.conn.authenticate({ clientid: 'c' });
        this.note(`state ${this.conn.state}`);
      }
      if (text === 'save') {
        const saved = await this.conn.saveState('8');
        this.note(`saved ${saved.code} ${saved.message}`);
      }
      if (text === 'send') await this.conn.send('answer');
      this.note(text);
    }

    onTimerTimeout(type) {
      this.note(`timer ${type}`);
    }

    onAlarm(id) {
      this.note(`alarm ${id}`);
    }

    onReceivedMessages(messages) {
      this.note(messages.map(({ topic, payload }) => `${topic}=${payload}`).join(' '));
    }

    onDrain() {
      this.note('drain');
    }

    onSocketClosed(reason) {
      this.note(`closed ${reason}`);
    }
  };
}

/** Waits for a condition, for ten seconds. */
export async function until(condition) {
  for (const deadline = Date.now() + 10_000; !condition();) {
    if (Date.now() > deadline) throw new Error(`it never came true: ${condition}`);
    await new Promise(setImmediate);
  }
}

/** A message in one line, without what is not set. */
export function shown(message) {
  return JSON.stringify(message, (key, value) => {
    if (value?.type === 'Buffer') return Buffer.from(value.data).toString();
    const unset = key !== '' && (value === 0 || value === '' || value === null || ['command', 'event'].includes(key));
    return unset ? undefined : value;
  });
}
