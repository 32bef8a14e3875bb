// The dialects of ExProto: one RPC an event (unary), or streams for each method (stream).

import { status } from '@grpc/grpc-js';
import { AdapterConn } from './adapter.js';
import { connInfo, messages } from './events.js';
import { Line } from './line.js';

const MAX_STREAM_EVENTS = 1024; // queued events of one stream; the stream is not read while there are more
const CREATED_PATIENCE = 1000; // milliseconds that early events wait for their connection's OnSocketCreated
const REMEMBERED = 4096; // closed connections whose late events are dropped

// The arguments of each callback.
const CALLBACKS = {
  OnSocketCreated: ({ conninfo }) => ['onSocketCreated', connInfo(conninfo)],
  OnReceivedBytes: ({ bytes }) => ['onReceivedBytes', bytes],
  OnTimerTimeout: ({ type }) => ['onTimerTimeout', type],
  OnReceivedMessages: (request) => ['onReceivedMessages', messages(request.messages)],
  OnSocketClosed: ({ reason }) => ['onSocketClosed', reason],
};

/** Serves ConnectionUnaryHandler and ConnectionHandler. */
export class RPCDialects {
  #server;
  #adapter;
  #lines = new Map();
  #ended = new Set();
  #overtaken = new Map(); // by connection, resolves the wait for its OnSocketCreated

  constructor(server, adapter) {
    this.#server = server;
    this.#adapter = adapter;
  }

  unary() {
    return this.#methods((method) => async (call, answer) => {
      const givenUp = new Promise((_, reject) => call.on('cancelled', () => reject(new Error('the gateway cancelled it'))));
      givenUp.catch(() => {});
      const succeeded = await this.#event(method, call.request, { givenUp });
      answer(succeeded ? null : failure(method), {});
    });
  }

  /**
   * Client streams. A stream that ends after one event looks like the unary form of EMQX 4.2 on the wire. It is answered
   * after the event's callback has returned, so both forms work.
   */
  stream() {
    return this.#methods((method) => async (call, answer) => {
      const pending = new Set();
      let count = 0;
      let succeeded = true;
      try {
        for await (const request of call) {
          count++;
          const event = this.#streamed(method, request).then((ok) => {
            succeeded = ok;
            pending.delete(event);
          });
          pending.add(event);
          if (pending.size >= MAX_STREAM_EVENTS) await Promise.race(pending);
        }
      } catch {
        return; // the gateway has cancelled the stream and expects no answer
      }
      await Promise.all(pending);
      answer(count === 1 && !succeeded ? failure(method) : null, {});
    });
  }

  #methods(serve) {
    return Object.fromEntries(Object.keys(CALLBACKS).map((method) => [method, serve(method)]));
  }

  async #streamed(method, request) {
    const succeeded = await this.#event(method, request, { patience: CREATED_PATIENCE });
    if (!succeeded) await this.#lines.get(request.conn)?.conn.close(); // no answer reports the failure to the gateway
    return succeeded;
  }

  /** Runs the callback of one event. */
  async #event(method, request, { patience = 0, givenUp }) {
    const id = request.conn;
    let line = this.#lines.get(id);
    const opens = line === undefined;
    if (opens) {
      if (method === 'OnSocketClosed' || this.#ended.has(id)) return true;
      line = new Line(this.#server, new AdapterConn(id, this.#adapter));
      this.#lines.set(id, line);
    } else if (method === 'OnSocketCreated' && this.#overtaken.has(id)) {
      this.#overtaken.get(id)(request);
      return true;
    }
    const succeeded = await line.turn(async () => {
      const begun = !opens || method === 'OnSocketCreated' || (await this.#begin(line, patience));
      return (await line.attempt(CALLBACKS[method](request), givenUp)) && begun;
    });
    if (method === 'OnSocketClosed') this.#end(id);
    return succeeded;
  }

  /** Begins a connection whose first event is not OnSocketCreated: that is late on a stream of its own, or another process received it. */
  async #begin(line, patience) {
    const created = patience > 0 && (await this.#created(line.conn.id, patience));
    return line.attempt(created ? CALLBACKS.OnSocketCreated(created) : ['onSocketResumed', connInfo(), null]);
  }

  async #created(id, patience) {
    let timer;
    const created = await new Promise((resolve) => {
      this.#overtaken.set(id, resolve);
      timer = setTimeout(resolve, patience);
    });
    clearTimeout(timer);
    this.#overtaken.delete(id);
    return created;
  }

  #end(id) {
    this.#lines.delete(id);
    this.#ended.add(id);
    if (this.#ended.size > REMEMBERED) this.#ended.delete(this.#ended.values().next().value);
  }
}

function failure(method) {
  return { code: status.INTERNAL, details: `${method} failed in the handler; see its log` };
}
