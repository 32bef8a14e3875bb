import * as argument from './arguments.js';
import { Code, Result } from './result.js';

const NOTHING = Buffer.alloc(0);

/**
 * The connection of one device. Each dialect has a subclass with a method command(name, fields), whose
 * names and fields are those of the contract.
 */
export class Conn {
  /** The id of the connection: opaque, and never reused. */
  id;

  constructor(id) {
    this.id = id;
  }

  send(data) {
    return this.#do('send', () => ({ bytes: argument.bytes(data, 'data') }));
  }

  close() {
    return this.#do('close', () => ({}));
  }

  authenticate(info, password = '') {
    return this.#do('authenticate', () => ({ clientinfo: argument.client(info), password: argument.text(password, 'password') }));
  }

  startTimer(interval, type = 0) {
    return this.#do('start_timer', () => ({ interval: argument.number(interval, 'interval'), type: argument.number(type, 'type') }));
  }

  setTimer(id, ms) {
    return this.#do('set_timer', () => ({ id: argument.number(id, 'id'), ms: argument.int32(ms, 'ms') }));
  }

  /** What came with the result of the login; empty in dialects without state. */
  get state() {
    return NOTHING;
  }

  saveState(state) {
    return this.#do('save_state', () => ({ state: argument.bytes(state, 'state') }));
  }

  publish(topic, payload, qos = 0) {
    return this.#do('publish', () => publication(topic, payload, qos));
  }

  publishWith(topic, payload, properties, qos = 0) {
    return this.#do('publish', () => ({ ...publication(topic, payload, qos), properties: argument.properties(properties) }));
  }

  async answer({ properties }, payload, qos = 0) {
    if (!properties?.responseTopic) return new Result(Code.REQUIRED_PARAMS_MISSED, 'the message has no response topic');
    return this.publishWith(properties.responseTopic, payload, { correlation: properties.correlation }, qos);
  }

  subscribe(topic, qos = 0) {
    return this.#do('subscribe', () => ({ topic: argument.text(topic, 'topic'), qos: argument.number(qos, 'qos') }));
  }

  unsubscribe(topic) {
    return this.#do('unsubscribe', () => ({ topic: argument.text(topic, 'topic') }));
  }

  rawPublish(topic, payload, qos = 0) {
    return this.#do('raw_publish', () => publication(topic, payload, qos));
  }

  async #do(name, fields) {
    let valid;
    try {
      valid = fields();
    } catch (error) {
      return new Result(Code.PARAMS_TYPE_ERROR, error.message);
    }
    return this.command(name, valid);
  }
}

function publication(topic, payload, qos) {
  return { topic: argument.text(topic, 'topic'), payload: argument.bytes(payload, 'payload'), qos: argument.number(qos, 'qos') };
}
