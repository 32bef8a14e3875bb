import { Framer, MAX_FRAME, Rules, within } from "./framing";
import { Unstuffed } from "./unstuff";

/** Ends each frame with a byte that its content contains only escaped: as escape and another byte. Empty frames are skipped. */
export class Escape extends Rules {
  /** Begins a frame. It may be end. NO_START: a frame begins where the last one ended. */
  start: i32 = Escape.NO_START;
  /** The byte after escape is combined with this; 0 if pairs are used. */
  xor: u8 = 0;
  /** The meaning of the bytes after escape, as code, value, code, value: 1 to 8 pairs. The values must include start, end and escape. */
  pairs: u8[] = [];

  static readonly NO_START: i32 = -1;

  /** @param max the largest length of a frame without flags and escapes, 1 to MAX_FRAME */
  constructor(
    readonly end: u8,
    readonly escape: u8,
    readonly max: i32,
  ) {
    super();
  }

  check(): string | null {
    if (this.isFlag(this.escape)) return "Escape.escape must differ from start and end";
    if ((this.xor == 0) == (this.pairs.length == 0)) return "one of Escape.xor and Escape.pairs must be set";
    if (this.pairs.length > 16 || this.pairs.length % 2 == 1) return "Escape.pairs must have 1 to 8 codes, each with its value";
    for (let i = 0; i < this.pairs.length; i += 2) {
      if (this.isFlag(this.pairs[i]) || this.twice(i)) return "codes and values of Escape.pairs must be unique, and no code may be start or end";
    }
    const codes = this.coded(this.end) && this.coded(this.escape) && (this.start == Escape.NO_START || this.coded(<u8>this.start));
    if (!codes) return "start, end and escape must have codes, which are not start or end";
    return within("Escape.max", this.max, 1, MAX_FRAME);
  }

  private twice(i: i32): bool {
    for (let j = 0; j < i; j += 2) {
      if (this.pairs[j] == this.pairs[i] || this.pairs[j + 1] == this.pairs[i + 1]) return true;
    }
    return false;
  }

  private coded(b: u8): bool {
    const code = this.code(b);
    return code >= 0 && !this.isFlag(<u8>code);
  }

  most(): i32 {
    return this.max;
  }

  framer(): Framer {
    return new Unstuffed(this);
  }

  isStart(b: u8): bool {
    return this.start == <i32>b;
  }

  /** Whether b is start or end. */
  isFlag(b: u8): bool {
    return b == this.end || this.isStart(b);
  }

  /** The byte that represents b after escape; -1 if b is not escaped. */
  private code(b: u8): i32 {
    if (this.xor != 0) return this.isFlag(b) || b == this.escape ? b ^ this.xor : -1;
    for (let i = 0; i < this.pairs.length; i += 2) {
      if (this.pairs[i + 1] == b) return this.pairs[i];
    }
    return -1;
  }

  /** The byte that code represents after escape; -1 if it is not a code. */
  value(code: u8): i32 {
    if (this.xor != 0) return code ^ this.xor;
    for (let i = 0; i < this.pairs.length; i += 2) {
      if (this.pairs[i] == code) return this.pairs[i + 1];
    }
    return -1;
  }

  /** The wire form of a frame: start, the escaped content, end. */
  stuff(frame: Uint8Array): Uint8Array {
    const out = new Uint8Array(2 * frame.length + 2);
    let n = 0;
    if (this.start != Escape.NO_START) out[n++] = <u8>this.start;
    for (let i = 0; i < frame.length; i++) {
      const code = this.code(frame[i]);
      if (code >= 0) out[n++] = this.escape;
      out[n++] = code >= 0 ? <u8>code : frame[i];
    }
    out[n++] = this.end;
    return out.subarray(0, n);
  }
}
