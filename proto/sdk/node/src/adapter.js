import { Client, credentials as grpcCredentials, Metadata, status } from '@grpc/grpc-js';
import { Conn } from './conn.js';
import { ADAPTER_SERVICE, contract } from './contract.js';
import { Code, Result, resultOf } from './result.js';

export const MAX_MESSAGE_BYTES = 16 << 20;

/** Calls the gateway's ConnectionAdapter in the RPC dialects, over one HTTP/2 connection that is opened when first needed. */
export class Adapter {
  #address;
  #client;
  #metadata = new Metadata();
  #timeout;

  constructor(address, { credentials = grpcCredentials.createInsecure(), token, timeout }) {
    this.#address = address;
    this.#timeout = timeout;
    this.#client = new Client(address, credentials, { 'grpc.max_send_message_length': MAX_MESSAGE_BYTES, 'grpc.enable_http_proxy': 0 });
    if (token) this.#metadata.set('authorization', `Bearer ${token}`);
  }

  call(name, fields) {
    const { path, requestSerialize, responseDeserialize } = contract[ADAPTER_SERVICE][name];
    const options = { deadline: Date.now() + this.#timeout };
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, fields, this.#metadata, options, (error, answer) => {
        resolve(error ? this.#failed(error) : resultOf(answer));
      });
    });
  }

  #failed({ code, details }) {
    return new Result(Code.UNKNOWN, `calling the adapter at ${this.#address}: ${status[code]}: ${details}`);
  }

  close() {
    this.#client.close();
  }
}

const METHODS = {
  send: 'Send',
  close: 'Close',
  authenticate: 'Authenticate',
  start_timer: 'StartTimer',
  publish: 'Publish',
  subscribe: 'Subscribe',
  unsubscribe: 'Unsubscribe',
  raw_publish: 'RawPublish',
};

/** A connection whose commands are calls of the adapter. */
export class AdapterConn extends Conn {
  #adapter;

  constructor(id, adapter) {
    super(id);
    this.#adapter = adapter;
  }

  async command(name, fields) {
    if (!this.#adapter) return new Result(Code.UNKNOWN, 'this dialect needs the adapter setting of the server');
    if (!METHODS[name]) return new Result(Code.PARAMS_TYPE_ERROR, `this dialect has no ${name}: use session`);
    if (fields.properties) return new Result(Code.PARAMS_TYPE_ERROR, 'this dialect has no properties: use session');
    return this.#adapter.call(METHODS[name], { conn: this.id, ...fields });
  }
}
