import { find, FrameError, Framer, Kept, MAX_FRAME, Piece, Rules, Strip, within } from "./framing";

/** Ends each frame. A frame may be empty. */
export class Delimiter extends Rules {
  /**
   * @param bytes the delimiter, 1 to 8 bytes
   * @param max the largest length of a frame without its delimiter, 1 to MAX_FRAME
   * @param strip what to remove
   */
  constructor(
    readonly bytes: Uint8Array,
    readonly max: i32,
    readonly strip: Strip = Strip.Nothing,
  ) {
    super();
  }

  /** Lines of text, without their line ends. */
  static lines(max: i32): Delimiter {
    const newline = new Uint8Array(1);
    newline[0] = 0x0a;
    return new Delimiter(newline, max, Strip.Line);
  }

  check(): string | null {
    const length = within("the length of Delimiter.bytes", this.bytes.length, 1, 8);
    return length !== null ? length : within("Delimiter.max", this.max, 1, MAX_FRAME);
  }

  most(): i32 {
    return this.max;
  }

  framer(): Framer {
    return new Delimited(this);
  }

  /** The number of bytes without a delimiter after which a frame is too long. */
  get room(): i32 {
    return this.max + this.bytes.length;
  }

  stripped(frame: Uint8Array): Uint8Array {
    if (this.strip == Strip.Nothing) return frame;
    let n = frame.length - this.bytes.length;
    if (this.strip == Strip.Line && n > 0 && frame[n - 1] == 0x0d) n--;
    return frame.subarray(0, n);
  }
}

/** Searches for the delimiter. While it skips, kept contains what may be the beginning of the delimiter. */
class Delimited extends Framer {
  private kept: Kept = new Kept();
  private skipping: bool = false;

  constructor(private rules: Delimiter) {
    super();
  }

  held(): i32 {
    return this.kept.length;
  }

  reset(): void {
    this.kept.clear();
    this.skipping = false;
  }

  protected step(piece: Piece): bool {
    if (this.skipping) {
      this.skip(piece);
      return false;
    }
    const before = this.kept.length;
    const n = min(piece.left, this.rules.room - before);
    let all = piece.rest().subarray(0, n);
    if (before > 0) {
      this.kept.add(all, n);
      all = this.kept.view();
    }
    const mark = this.rules.bytes;
    const found = find(all, max(0, before - mark.length + 1), mark);
    if (found >= 0) {
      const end = found + mark.length;
      piece.used += end - before;
      this.kept.clear();
      return this.give(this.rules.stripped(all.subarray(0, end)));
    }
    piece.used += n;
    if (all.length == this.rules.room) {
      this.skipping = true;
      this.keepTail(all);
      return this.fail(FrameError.TooLong);
    }
    if (before == 0) this.kept.add(all, n);
    return false;
  }

  /** Consumes bytes up to the end of the delimiter. */
  private skip(piece: Piece): void {
    const mark = this.rules.bytes;
    const before = this.kept.length;
    const rest = piece.rest();
    this.kept.add(rest, min(rest.length, mark.length - 1));
    const seam = this.kept.take();
    let found = find(seam, 0, mark);
    let used = found + mark.length - before;
    if (found < 0) {
      found = find(rest, 0, mark);
      used = found + mark.length;
    }
    if (found >= 0) {
      this.skipping = false;
      piece.used += used;
      return;
    }
    this.keepTail(rest.length >= mark.length - 1 ? rest : seam);
    piece.used += rest.length;
  }

  /** Keeps the end as far as it may be the beginning of a delimiter. */
  private keepTail(bytes: Uint8Array): void {
    const n = min(bytes.length, this.rules.bytes.length - 1);
    const tail = bytes.subarray(bytes.length - n);
    this.kept.clear();
    this.kept.add(tail, n);
  }
}
