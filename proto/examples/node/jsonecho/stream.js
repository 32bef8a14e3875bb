const MAX_FRAME = 1 << 20; // bytes
const [OPEN, CLOSE, QUOTE, BACKSLASH] = Buffer.from('{}"\\');
const SPACES = new Set(Buffer.from(' \t\r\n'));

/** Finds JSON objects in a stream of bytes that may be split anywhere. broken is set for good at what is none, or one too large. */
export class JSONStream {
  broken = false;
  #pieces = []; // of the object that is not complete
  #size = 0;
  #depth = 0;
  #quoted = false;
  #escaped = false;

  /** Adds bytes and returns the objects that they complete. Every byte is looked at once, however a device cuts and nests. */
  feed(data) {
    const objects = [];
    let begin = 0;
    for (let at = 0; at < data.length && !this.broken; at++) {
      if (this.#depth === 0 && !this.#quoted && data[at] !== OPEN) {
        this.broken = !SPACES.has(data[at]);
        begin = at + 1;
      } else if (this.#ends(data[at])) {
        this.#add(data.subarray(begin, at + 1));
        this.#parse(objects);
        begin = at + 1;
      }
    }
    this.#add(data.subarray(begin));
    this.broken ||= this.#size > MAX_FRAME;
    return objects;
  }

  /** Says whether this byte of an object is its last. */
  #ends(byte) {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#quoted = !this.#quoted;
    else if (!this.#quoted && byte === OPEN) this.#depth++;
    else if (!this.#quoted && byte === CLOSE) return --this.#depth === 0;
    return false;
  }

  #add(piece) {
    if (piece.length === 0) return;
    this.#pieces.push(Buffer.from(piece)); // a copy: what a callback is given is not kept
    this.#size += piece.length;
  }

  #parse(objects) {
    const text = Buffer.concat(this.#pieces).toString();
    this.#pieces = [];
    this.#size = 0;
    try {
      objects.push(JSON.parse(text));
    } catch {
      this.broken = true;
    }
  }
}
