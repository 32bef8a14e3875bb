/** The largest value of max and size in the rules, in bytes. */
export const MAX_FRAME: i32 = 1 << 20;

/** An error instead of a frame. The framer continues after it; a protocol may close the connection instead. */
export enum FrameError {
  None,
  /** The frame is too long. */
  TooLong,
  /** The bytes are not a frame. */
  Broken,
}

/** What a framer removes from a frame. */
export enum Strip {
  /** Keep the delimiter or the length in the frame. */
  Nothing,
  /** Remove the delimiter, or everything up to the end of the length. */
  Mark,
  /** For a delimiter: also remove one \r before it. */
  Line,
}

/** Bytes that framers take frames from. */
export class Piece {
  used: i32 = 0;

  constructor(readonly bytes: Uint8Array) {}

  get left(): i32 {
    return this.bytes.length - this.used;
  }

  /** The remaining bytes, not copied. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.used);
  }
}

/** How a stream is split into frames: Delimiter, Length, Fixed or Escape. Check the rules once, and give each connection its own framer. */
export abstract class Rules {
  /** Why the values are invalid, naming the field; null if they are valid. */
  abstract check(): string | null;

  /** The largest length of a frame, in bytes. */
  abstract most(): i32;

  /** Returns a framer for a new connection. The rules must have been checked. */
  abstract framer(): Framer;
}

/** Splits the stream of one connection. Between frames it holds no buffer. */
export abstract class Framer {
  /** The frame found by next, if there is no error. It is valid until the piece is gone or the framer is used again. */
  frame: Uint8Array = NOTHING;
  error: FrameError = FrameError.None;

  /** Finds the next frame that ends in piece, or its error, and consumes the piece up to there. Returns false if there is none. */
  next(piece: Piece): bool {
    this.error = FrameError.None;
    while (piece.left > 0) {
      if (this.step(piece)) return true;
    }
    return false;
  }

  /** Consumes the piece, which must not be empty, up to the first outcome, and at least one byte. */
  protected abstract step(piece: Piece): bool;

  /** The number of buffered bytes of an unfinished frame. */
  abstract held(): i32;

  /** Drops them and starts as for a new connection. */
  abstract reset(): void;

  protected give(frame: Uint8Array): bool {
    this.frame = frame;
    return true;
  }

  protected fail(error: FrameError): bool {
    this.error = error;
    return true;
  }
}

export const NOTHING: Uint8Array = new Uint8Array(0);

/** Bytes that grow with what is added. */
export class Kept {
  private bytes: Uint8Array = NOTHING;
  length: i32 = 0;

  add(from: Uint8Array, n: i32): void {
    this.reserve(n);
    memory.copy(this.bytes.dataStart + this.length, from.dataStart, n);
    this.length += n;
  }

  push(b: u8): void {
    this.reserve(1);
    unchecked((this.bytes[this.length++] = b));
  }

  private reserve(n: i32): void {
    if (this.length + n <= this.bytes.length) return;
    const larger = new Uint8Array(max(this.length + n, min(2 * this.bytes.length, MAX_FRAME)));
    memory.copy(larger.dataStart, this.bytes.dataStart, this.length);
    this.bytes = larger;
  }

  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** Returns the bytes and drops them. */
  take(): Uint8Array {
    const all = this.view();
    this.clear();
    return all;
  }

  clear(): void {
    this.bytes = NOTHING;
    this.length = 0;
  }
}

/** Buffers a run of bytes of known length. It grows with the received bytes, not with the announced length. */
export class Gathered {
  readonly kept: Kept = new Kept();

  /** Consumes up to the missing bytes, and returns all n once they are complete: inside the piece if it contains them all. */
  take(piece: Piece, n: i32): Uint8Array | null {
    const missing = n - this.kept.length;
    const rest = piece.rest();
    if (this.kept.length == 0 && missing <= rest.length) {
      piece.used += n;
      return rest.subarray(0, n);
    }
    const used = min(missing, rest.length);
    this.kept.add(rest, used);
    piece.used += used;
    return this.kept.length < n ? null : this.kept.take();
  }
}

/** Checks the range of a number. */
export function within(field: string, n: i64, least: i64, most: i64): string | null {
  if (n >= least && n <= most) return null;
  return field + " is " + n.toString() + ", and must be from " + least.toString() + " to " + most.toString();
}

/** The position of needle in hay, from a start; -1 if absent. */
export function find(hay: Uint8Array, from: i32, needle: Uint8Array): i32 {
  const first = needle[0];
  for (let i = from, last = hay.length - needle.length; i <= last; i++) {
    if (unchecked(hay[i]) == first && memory.compare(hay.dataStart + i, needle.dataStart, needle.length) == 0) return i;
  }
  return -1;
}
