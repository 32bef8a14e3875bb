import { Conn } from './conn.js';
import { Code, OK, Result } from './result.js';

// The form of commands that differ in the session dialect.
const FIELDS = { send: ({ bytes }) => bytes };
const TOLD = new Set(['send', 'close']); // they have no result

const NO_TIMERS = new Result(Code.PARAMS_TYPE_ERROR, 'the gateway has no timers: it needs a newer version');

const NO_STATE = new Result(Code.PARAMS_TYPE_ERROR, 'the gateway keeps no state: it needs a newer version');

const NO_PROPERTIES = new Result(Code.PARAMS_TYPE_ERROR, 'the gateway has no properties: it needs a newer version');

/** A connection whose commands are sent on its stream. */
export class SessionConn extends Conn {
  #number;
  #outbox;
  #features;
  #state = Buffer.alloc(0);
  #token = 0;
  #asked = new Map();
  #gone = null;

  constructor(id, number, outbox, features) {
    super(id);
    this.#features = features;
    this.#number = number;
    this.#outbox = outbox;
  }

  async command(name, fields) {
    if (name === 'set_timer' && !this.#features.includes('timers')) return NO_TIMERS;
    if (name === 'save_state' && !this.#features.includes('state')) return NO_STATE;
    if (fields.properties && !this.#features.includes('properties')) return NO_PROPERTIES;
    await this.#outbox.room();
    if (this.#gone) return this.#gone;
    const command = { conn: this.#number, [name]: FIELDS[name]?.(fields) ?? fields };
    const size = (fields.bytes ?? fields.payload ?? fields.state ?? '').length;
    if (TOLD.has(name)) {
      this.#outbox.put(command, size);
      return OK;
    }
    command.token = ++this.#token;
    this.#outbox.put(command, size);
    return new Promise((resolve) => this.#asked.set(command.token, resolve));
  }

  /** What the gateway keeps for the device, as it came with the login. */
  get state() {
    return this.#state;
  }

  answered(token, result, state) {
    if (state?.length) this.#state = state;
    this.#asked.get(token)?.(result);
    this.#asked.delete(token);
  }

  /** Fails the pending calls, which get no other result. */
  end(why) {
    this.#gone = new Result(Code.CONN_PROCESS_NOT_ALIVE, why);
    for (const token of this.#asked.keys()) this.answered(token, this.#gone);
  }
}
