const FRAME_BYTES = 1 << 20; // a frame is closed when it has so many; one larger command goes alone
const QUEUE_BYTES = 4 << 20; // what may wait before senders do
const COMMAND_BYTES = 64; // what a command has beside its data, at most

/** What goes back to the gateway on the stream of the session dialect: each time all that came meanwhile. */
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

  /** Acknowledges with the last command where that is the connection's own. */
  ack(conn, seq) {
    const last = this.#commands.at(-1)?.[0];
    if (last?.conn === conn) last.ack = seq;
    else this.put({ conn, ack: seq });
  }

  /** Answers a ping with the next frame. */
  pong(ping) {
    this.#pong = ping;
    this.#write();
  }

  /** Resolves when all is written. */
  async flushed() {
    while (this.#writing) await new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Drops what is left and lets go of those who wait. */
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
    await new Promise(setImmediate); // what is said in this turn of the event loop goes into one frame
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
