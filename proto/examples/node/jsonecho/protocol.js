import { Handler } from '@exgate/handler';
import { JSONStream } from './stream.js';

const CONNECT = 1;
const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBSCRIBE = 5;
const SUBACK = 6;
const UNSUBSCRIBE = 7;
const UNSUBACK = 8;
const DISCONNECT = 9;
const RAW_PUBLISH = 10;
const MAX_REFUSED = 10; // requests in a row, before the device is closed

/** The protocol: frames with a type, answered one at a time. */
export class JSONEcho extends Handler {
  #stream = new JSONStream();
  #closed = false;
  #refused = 0;

  async onReceivedBytes(data) {
    if (this.#closed) return;
    for (const frame of this.#stream.feed(data)) {
      if (!this.#closed) await this.#frame(frame);
    }
    if (this.#stream.broken && !this.#closed) await this.#close();
  }

  async onTimerTimeout() {
    await this.#send({ type: DISCONNECT });
    await this.#close();
  }

  async onReceivedMessages(messages) {
    for (const { topic, qos, payload } of messages) {
      if (!this.#closed) await this.#send({ type: PUBLISH, topic, qos, payload: payload.toString() });
    }
  }

  async #frame({ type, topic = '', qos = 0, payload = '', clientinfo, password }) {
    switch (type) {
      case CONNECT:
        return this.#connect({ clientinfo, password });
      case PUBLISH:
        return this.#answer(PUBACK, await this.conn.publish(topic, payload, qos));
      case RAW_PUBLISH:
        return this.#answer(PUBACK, await this.conn.rawPublish(topic, payload, qos));
      case SUBSCRIBE:
        return this.#answer(SUBACK, await this.conn.subscribe(topic, qos));
      case UNSUBSCRIBE:
        return this.#answer(UNSUBACK, await this.conn.unsubscribe(topic));
      default: // also DISCONNECT
        return this.#close();
    }
  }

  async #connect({ clientinfo, password }) {
    const { clientid = '', username, mountpoint, keepalive, proto_name: protoName, proto_ver: protoVer } = clientinfo ?? {};
    const login = await this.conn.authenticate({ clientid, username, protoName, protoVer, mountpoint }, password);
    if (login.ok && keepalive) await this.conn.startTimer(keepalive);
    await this.#answer(CONNACK, login);
    if (!login.ok) await this.#close();
  }

  async #answer(type, { ok }) {
    await this.#send({ type, code: ok ? 0 : 1 });
    this.#refused = ok ? 0 : this.#refused + 1;
    if (this.#refused >= MAX_REFUSED) await this.#close();
  }

  async #send(frame) {
    await this.conn.send(JSON.stringify(frame));
  }

  async #close() {
    this.#closed = true;
    await this.conn.close();
  }
}
