// exgate's own dialect: one bidirectional stream carries the events and commands of all connections.

import { status } from '@grpc/grpc-js';
import { clientInfo, connInfo, messages } from './events.js';
import { Line } from './line.js';
import { Outbox } from './outbox.js';
import { resultOf } from './result.js';
import { SessionConn } from './sessionconn.js';

const VERSION = 1;
const FEATURES = ['state', 'properties']; // those that the gateway must know of
const STREAM_LOST = 'stream_lost'; // the reason in onSocketClosed if the stream of the connection ended

// The arguments of each event's callback.
const CALLBACKS = {
  created: ({ conninfo, properties, resumed, clientinfo }) => {
    const info = connInfo(conninfo, properties);
    return resumed ? ['onSocketResumed', info, clientInfo(clientinfo)] : ['onSocketCreated', info];
  },
  bytes: (data) => ['onReceivedBytes', data],
  timer_timeout: ({ type }) => ['onTimerTimeout', type],
  alarm: ({ id }) => ['onAlarm', id],
  messages: (event) => ['onReceivedMessages', messages(event.messages, event.properties)],
  drain: () => ['onDrain'],
  closed: ({ reason }) => ['onSocketClosed', reason],
};

/** Serves SessionHandler. */
export class SessionDialect {
  #server;
  #sessions = new Set();

  constructor(server) {
    this.#server = server;
  }

  methods() {
    return { Session: (call) => this.#serve(call) };
  }

  #serve(call) {
    call.once('data', ({ hello }) => {
      if (!(hello?.version >= VERSION)) {
        const details = `the first frame must have a hello of version ${VERSION} or later`;
        call.emit('error', { code: status.FAILED_PRECONDITION, details });
        return;
      }
      const features = hello.features.filter((feature) => FEATURES.includes(feature));
      call.write({ hello: { version: VERSION, program: this.#server.program, features } });
      const session = new Session(this.#server, call, hello);
      this.#sessions.add(session);
      call.once('close', () => this.#sessions.delete(session));
    });
    call.once('end', () => call.end());
  }

  async stop() {
    await Promise.all([...this.#sessions].map((session) => session.stop()));
  }
}

/** One stream of one gateway. */
class Session {
  #server;
  #call;
  #timeout;
  #features;
  #outbox;
  #lines = new Map();
  #stopping = false;

  constructor(server, call, { call_timeout_ms: timeout, features }) {
    this.#server = server;
    this.#call = call;
    this.#timeout = timeout;
    this.#features = features;
    this.#outbox = new Outbox(call);
    call.on('data', (frame) => this.#frame(frame));
    for (const end of ['end', 'cancelled', 'close']) call.once(end, () => this.#end());
  }

  /** Handles one frame. Callbacks run asynchronously and do not delay the reading of the stream. */
  #frame({ events, ping }) {
    if (ping) this.#outbox.pong(ping);
    for (const event of events) this.#event(event);
  }

  #event({ conn: number, seq, event: kind, ...fields }) {
    if (this.#stopping && kind !== 'result') return; // the gateway sends it again, to another process
    if (kind === 'created') {
      this.#lines.set(number, new Line(this.#server, new SessionConn(fields.created.id, number, this.#outbox, this.#features)));
    }
    const line = this.#lines.get(number);
    if (line === undefined) return;
    if (kind === 'result') line.conn.answered(fields.result.token, resultOf(fields.result), fields.result.state);
    else line.turn(() => this.#run(line, number, seq, kind, fields[kind])).catch((error) => this.#server.log('the session failed', error));
  }

  /** Runs one event after the previous ones. Unknown kinds are acknowledged like all others. */
  async #run(line, number, seq, kind, event) {
    if (this.#lines.get(number) !== line) return; // the stream has ended, and the gateway sends the event again
    if (CALLBACKS[kind] && !(await this.#attempt(line, CALLBACKS[kind](event)))) await line.conn.close();
    if (seq) this.#outbox.ack(number, seq);
    if (kind === 'closed') {
      this.#lines.delete(number);
      line.conn.end('the connection is closed');
    }
  }

  async #attempt(line, callback) {
    if (!this.#timeout) return line.attempt(callback);
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`it took longer than ${this.#timeout} ms`)), this.#timeout);
    });
    late.catch(() => {});
    const succeeded = await line.attempt(callback, late);
    clearTimeout(timer);
    return succeeded;
  }

  /** Accepts no more events, and ends the stream when the running callbacks have returned and are acknowledged. */
  async stop() {
    this.#stopping = true;
    await Promise.all([...this.#lines.values()].map((line) => line.turn(() => {})));
    await this.#outbox.flushed();
    this.#end();
    this.#call.end();
  }

  /** Ends all connections of the ended stream. */
  #end() {
    const lines = [...this.#lines.values()];
    this.#lines.clear();
    this.#outbox.close();
    for (const line of lines) {
      line.conn.end('the stream to the gateway ended');
      line.turn(() => line.attempt(['onSocketClosed', STREAM_LOST]));
    }
  }
}
