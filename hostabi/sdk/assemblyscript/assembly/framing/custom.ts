import { FrameError, Framer, MAX_FRAME, NOTHING, Piece, Rules, within } from "./framing";

/** Frames of any other kind: a function of the protocol measures them. */
export class Custom extends Rules {
  /**
   * @param measure returns the length of the frame that begins with the given bytes, of which there is at least one: 0
   *   if it cannot be known before there are more, and less than 0 if no frame begins so. More bytes must not change a
   *   length or a refusal. It is called again with each piece of the stream until it knows the length, so it should
   *   look at the head of a frame only. After a refusal, the error is Broken once, and bytes are skipped up to one that
   *   is not refused.
   * @param max the largest length of a frame, 1 to MAX_FRAME; a longer frame is skipped, and so are max bytes whose
   *   length is still not known
   */
  constructor(
    readonly measure: (bytes: Uint8Array) => i32,
    readonly max: i32,
  ) {
    super();
  }

  check(): string | null {
    return within("Custom.max", this.max, 1, MAX_FRAME);
  }

  most(): i32 {
    return this.max;
  }

  framer(): Framer {
    return new Customary(this);
  }
}

class Customary extends Framer {
  private kept: Uint8Array = NOTHING;
  private whole: i32 = 0; // the length of the frame in kept, if it is known
  private skip: i32 = 0; // remaining bytes of a frame that is too long
  private lost: bool = false; // after a refusal

  constructor(private readonly rules: Custom) {
    super();
  }

  held(): i32 {
    return this.kept.length;
  }

  reset(): void {
    this.kept = NOTHING;
    this.whole = this.skip = 0;
    this.lost = false;
  }

  protected step(piece: Piece): bool {
    const rest = piece.rest();
    if (this.skip > 0) {
      const used = min(this.skip, rest.length);
      this.skip -= used;
      piece.used += used;
      return false;
    }
    const before = this.kept.length;
    const window = min(rest.length, this.rules.max - before);
    const all = before == 0 ? rest.subarray(0, window) : joined(this.kept, rest, window);
    const n = this.whole > 0 ? this.whole : this.rules.measure(all);
    if (n < 0) return this.refused(piece, all);
    if (n > 0 && n <= all.length) {
      this.whole = 0;
      this.lost = false;
      this.kept = n < before ? this.kept.subarray(n) : NOTHING;
      piece.used += max(n - before, 0);
      return this.give(all.subarray(0, n));
    }
    if (n > this.rules.max || all.length == this.rules.max) {
      this.reset();
      this.skip = n > 0 ? n - before : window;
      return this.fail(FrameError.TooLong);
    }
    this.whole = n;
    this.kept = before == 0 ? joined(NOTHING, rest, window) : all;
    piece.used += window;
    return false;
  }

  /** Skips a byte that begins no frame. What was kept behind it is looked at again. */
  private refused(piece: Piece, all: Uint8Array): bool {
    const before = this.kept.length;
    const again = this.lost;
    let n = 1;
    while (n < before && this.rules.measure(all.subarray(n)) < 0) n++;
    this.whole = 0;
    this.lost = true;
    this.kept = n < before ? this.kept.subarray(n) : NOTHING;
    piece.used += max(n - before, 0);
    return again ? false : this.fail(FrameError.Broken);
  }
}

/** A copy of a, followed by n bytes of b. */
function joined(a: Uint8Array, b: Uint8Array, n: i32): Uint8Array {
  const all = new Uint8Array(a.length + n);
  memory.copy(all.dataStart, a.dataStart, a.length);
  memory.copy(all.dataStart + a.length, b.dataStart, n);
  return all;
}
