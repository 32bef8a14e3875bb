const FRAME_BYTES = 1 << 20; // the size at which a frame is full; a larger command is sent alone
const QUEUE_BYTES = 4 << 20; // senders wait while more is queued
const COMMAND_BYTES = 64; // the most that a command adds to its data

/** The queue of frames to the gateway in the session dialect. Each frame takes everything that is queued. */
export class Outbox {
  #call;
  #commands = [];
  #bytes = 0;
  #pong = 0;
  #writing = false;
  #waiting = [];
  #closed = false;

  constructor(call) {
    this.#call = call;
  }

  /** Waits while too much is queued. */
  async room() {
    while (this.#bytes > QUEUE_BYTES) await new Promise((resolve) => this.#waiting.push(resolve));
  }

  put(command, size = 0) {
    if (this.#closed) return;
    this.#commands.push([command, size + COMMAND_BYTES]);
    this.#bytes += size + COMMAND_BYTES;
    this.#write();
  }

  /** Acknowledges an event, in the last queued command if that is for the same connection. */
  ack(conn, seq) {
    const last = this.#commands.at(-1)?.[0];
    if (last?.conn === conn) last.ack = seq;
    else this.put({ conn, ack: seq });
  }

  /** Answers a ping in the next frame. */
  pong(ping) {
    this.#pong = ping;
    this.#write();
  }

  /** Resolves when the queue is empty. */
  async flushed() {
    while (this.#writing) await new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Drops the queue and wakes waiting senders. */
  close() {
    this.#closed = true;
    this.#commands = [];
    this.#bytes = 0;
    this.#writing = false;
    this.#wake();
  }

  async #write() {
    if (this.#writing) return;
    this.#writing = true;
    await new Promise(setImmediate); // collect the commands of this turn of the event loop in one frame
    while ((this.#commands.length > 0 || this.#pong) && !this.#closed) {
      const full = !this.#call.write(this.#frame());
      this.#wake();
      if (full) await new Promise((resolve) => this.#call.once('drain', resolve));
    }
    this.#writing = false;
    this.#wake();
  }

  #frame() {
    let size = 0;
    let count = 0;
    while (count < this.#commands.length && (count === 0 || size + this.#commands[count][1] <= FRAME_BYTES)) size += this.#commands[count++][1];
    this.#bytes -= size;
    const frame = { commands: this.#commands.splice(0, count).map(([command]) => command), pong: this.#pong };
    this.#pong = 0;
    return frame;
  }

  #wake() {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
