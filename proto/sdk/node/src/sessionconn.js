import { Conn } from './conn.js';
import { Code, OK, Result } from './result.js';

// Commands as the session dialect has them, where they differ.
const FIELDS = { send: ({ bytes }) => bytes };
const TOLD = new Set(['send', 'close']); // their outcome is not waited for

/** A connection whose commands go back on its stream. */
export class SessionConn extends Conn {
  #number;
  #outbox;
  #token = 0;
  #asked = new Map();
  #gone = null;

  constructor(id, number, outbox) {
    super(id);
    this.#number = number;
    this.#outbox = outbox;
  }

  async command(name, fields) {
    await this.#outbox.room();
    if (this.#gone) return this.#gone;
    const command = { conn: this.#number, [name]: FIELDS[name]?.(fields) ?? fields };
    const size = (fields.bytes ?? fields.payload ?? '').length;
    if (TOLD.has(name)) {
      this.#outbox.put(command, size);
      return OK;
    }
    command.token = ++this.#token;
    this.#outbox.put(command, size);
    return new Promise((resolve) => this.#asked.set(command.token, resolve));
  }

  answered(token, result) {
    this.#asked.get(token)?.(result);
    this.#asked.delete(token);
  }

  /** Answers what is still asked: nobody else will. */
  end(why) {
    this.#gone = new Result(Code.CONN_PROCESS_NOT_ALIVE, why);
    for (const token of this.#asked.keys()) this.answered(token, this.#gone);
  }
}
