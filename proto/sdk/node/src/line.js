import { Handler } from './handler.js';

/** Runs the callbacks of one connection, one at a time. */
export class Line {
  #handler = null;
  #last = Promise.resolve();
  #server;

  constructor(server, conn) {
    this.conn = conn;
    this.#server = server; // its factory, log and work
  }

  /** Runs work after all previous work. */
  turn(work) {
    const turn = this.#last.then(work);
    const over = turn.catch(() => {}).finally(() => this.#server.work.delete(over));
    this.#server.work.add(over);
    this.#last = over;
    return turn;
  }

  /** Runs one callback after the previous ones, unless it is cancelled before. Returns false if it failed or was cancelled, which is logged. */
  async attempt([callback, ...args], givenUp = new Promise(() => {})) {
    try {
      await Promise.race([this.#call(callback, args), givenUp]);
      return true;
    } catch (error) {
      this.#server.log(`${callback} of connection ${this.conn.id} failed`, error);
      return false;
    }
  }

  async #call(callback, args) {
    if (this.#handler === null) {
      this.#handler = new Handler(this.conn); // for later events, in case the constructor throws
      this.#handler = this.#server.make(this.conn);
    }
    await this.#handler[callback](...args);
  }
}
