/** Bounds what max and size of the rules may be, in bytes. */
export const MAX_FRAME: i32 = 1 << 20;

/** What a frame may have instead of bytes. The framer goes on behind it; a protocol that would rather not closes the connection. */
export enum FrameError {
  None,
  /** The frame is longer than it may be. */
  TooLong,
  /** What came cannot be a frame. */
  Broken,
}

/** What a framer takes away from a frame. */
export enum Strip {
  /** The delimiter or the length stays in the frame. */
  Nothing,
  /** The delimiter, or all up to the end of the length, is taken away. */
  Mark,
  /** Of a delimiter: also one \r before it. */
  Line,
}

/** Bytes that framers take frames from the head of. */
export class Piece {
  used: i32 = 0;

  constructor(readonly bytes: Uint8Array) {}

  get left(): i32 {
    return this.bytes.length - this.used;
  }

  /** What was not used, without a copy. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.used);
  }
}

/** How frames are told apart: Delimiter, Length, Fixed or Escape. Check them once, and give each connection a framer of its own. */
export abstract class Rules {
  /** What is wrong with the values, naming the field; null where they are right. */
  abstract check(): string | null;

  /** How many bytes a frame may have. */
  abstract most(): i32;

  /** A framer for a new connection. The rules must have been checked. */
  abstract framer(): Framer;
}

/** Keeps what there is of a connection's unfinished frame. Between frames it holds no buffer. */
export abstract class Framer {
  /** What next found: a frame, where there is no error. It is valid until the piece is gone or the framer used again. */
  frame: Uint8Array = NOTHING;
  error: FrameError = FrameError.None;

  /** Goes to the next frame that ends in piece, or its error, and uses the piece up to there; false where there is none. */
  next(piece: Piece): bool {
    this.error = FrameError.None;
    while (piece.left > 0) {
      if (this.step(piece)) return true;
    }
    return false;
  }

  /** Looks at the piece, in which bytes are left, up to its first outcome, and uses one byte at least. */
  protected abstract step(piece: Piece): bool;

  /** How many bytes of an unfinished frame there are. */
  abstract held(): i32;

  /** Forgets them and begins anew, as when the connection was new. */
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

  /** Hands the bytes over and forgets them. */
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

/** What there is of a run of bytes whose length is known. It grows with what came, not with what was promised. */
export class Gathered {
  readonly kept: Kept = new Kept();

  /** Uses up to as many bytes as are missing, and gives all n once they are there: out of the piece where it has them all. */
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

/** The check of a number. */
export function within(field: string, n: i64, least: i64, most: i64): string | null {
  if (n >= least && n <= most) return null;
  return field + " is " + n.toString() + ", and must be from " + least.toString() + " to " + most.toString();
}

/** Where needle is in hay, from a place on; -1 where it is not. */
export function find(hay: Uint8Array, from: i32, needle: Uint8Array): i32 {
  const first = needle[0];
  for (let i = from, last = hay.length - needle.length; i <= last; i++) {
    if (unchecked(hay[i]) == first && memory.compare(hay.dataStart + i, needle.dataStart, needle.length) == 0) return i;
  }
  return -1;
}
