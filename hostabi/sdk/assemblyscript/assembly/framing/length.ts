import { FrameError, Framer, Gathered, MAX_FRAME, Piece, Rules, Strip, within } from "./framing";

/**
 * Frames with a length at their head: offset bytes, an unsigned number of width bytes, and the rest. The whole frame has
 * offset + width + number + adjust bytes.
 */
export class Length extends Rules {
  /** The order of the number's bytes; otherwise big-endian. */
  littleEndian: bool = false;
  /** The number of bytes before the number, 0 to 255. */
  offset: i32 = 0;
  /**
   * Corrects a number that does not count exactly the bytes after it: -width if it includes itself, -(offset + width) if it counts the whole frame, 2
   * if it omits a checksum of two bytes. -1024 to 1024.
   */
  adjust: i32 = 0;
  /** What to remove: Nothing, or with Mark everything up to the end of the number. */
  strip: Strip = Strip.Nothing;

  /**
   * @param width the size of the number in bytes: 1, 2 or 4
   * @param max the largest length of the whole frame, from offset + width to MAX_FRAME
   */
  constructor(
    readonly width: i32,
    readonly max: i32,
  ) {
    super();
  }

  check(): string | null {
    if (this.width != 1 && this.width != 2 && this.width != 4) return "Length.width is " + this.width.toString() + ", and must be 1, 2 or 4";
    if (this.strip == Strip.Line) return "Length.strip must be Nothing or Mark";
    const offset = within("Length.offset", this.offset, 0, 255);
    if (offset !== null) return offset;
    const adjust = within("Length.adjust", this.adjust, -1024, 1024);
    return adjust !== null ? adjust : within("Length.max", this.max, this.header, MAX_FRAME);
  }

  most(): i32 {
    return this.max;
  }

  framer(): Framer {
    return new Measured(this);
  }

  get header(): i32 {
    return this.offset + this.width;
  }

  /** Reads the length of a frame from its head. */
  whole(head: Uint8Array): i64 {
    let number: i64 = 0;
    for (let i = 0; i < this.width; i++) {
      const at = this.littleEndian ? this.header - 1 - i : this.offset + i;
      number = (number << 8) | head[at];
    }
    return number + this.header + this.adjust;
  }

  stripped(frame: Uint8Array): Uint8Array {
    return this.strip == Strip.Mark ? frame.subarray(this.header) : frame;
  }
}

/** Reads the head of each frame, then waits for the rest. */
class Measured extends Framer {
  private waiting: Gathered = new Gathered();
  private whole: i32 = 0; // of the frame whose head was read; 0 before that
  private skip: i64 = 0; // remaining bytes of a frame that is too long
  private lost: bool = false; // after a broken frame: the start of the next one is unknown

  constructor(private rules: Length) {
    super();
  }

  held(): i32 {
    return this.waiting.kept.length;
  }

  reset(): void {
    this.waiting.kept.clear();
    this.whole = 0;
    this.skip = 0;
    this.lost = false;
  }

  protected step(piece: Piece): bool {
    if (this.lost) {
      piece.used += piece.left;
      return false;
    }
    if (this.skip > 0) {
      const n = min(this.skip, <i64>piece.left);
      this.skip -= n;
      piece.used += <i32>n;
      return false;
    }
    if (this.whole == 0) return this.head(piece);
    const frame = this.waiting.take(piece, this.whole);
    if (frame === null) return false;
    this.whole = 0;
    return this.give(this.rules.stripped(frame));
  }

  /** Gathers a frame up to its number, then its rest. */
  private head(piece: Piece): bool {
    const header = this.rules.header;
    const fresh = this.held() == 0;
    const rest = piece.rest();
    const head = this.waiting.take(piece, header);
    if (head === null) return false;
    const whole = this.rules.whole(head);
    if (whole < header) {
      this.lost = true;
      return this.fail(FrameError.Broken);
    }
    if (whole > this.rules.max) {
      this.skip = whole - header;
      return this.fail(FrameError.TooLong);
    }
    if (whole == header) return this.give(this.rules.stripped(head));
    if (fresh && whole <= rest.length) {
      piece.used += <i32>whole - header;
      return this.give(this.rules.stripped(rest.subarray(0, <i32>whole)));
    }
    this.waiting.kept.add(head, header);
    this.whole = <i32>whole;
    return false;
  }
}
