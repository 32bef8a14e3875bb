import { Framer, Gathered, MAX_FRAME, Piece, Rules, within } from "./framing";

/** All frames have the same length. */
export class Fixed extends Rules {
  /** @param size the length of a frame in bytes, 1 to MAX_FRAME */
  constructor(readonly size: i32) {
    super();
  }

  check(): string | null {
    return within("Fixed.size", this.size, 1, MAX_FRAME);
  }

  most(): i32 {
    return this.size;
  }

  framer(): Framer {
    return new Sized(this.size);
  }
}

class Sized extends Framer {
  private waiting: Gathered = new Gathered();

  constructor(private size: i32) {
    super();
  }

  held(): i32 {
    return this.waiting.kept.length;
  }

  reset(): void {
    this.waiting.kept.clear();
  }

  protected step(piece: Piece): bool {
    const frame = this.waiting.take(piece, this.size);
    return frame !== null && this.give(frame);
  }
}
