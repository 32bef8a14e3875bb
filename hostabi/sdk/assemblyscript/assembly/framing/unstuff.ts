import { Escape } from "./escape";
import { FrameError, Framer, Kept, Piece } from "./framing";

enum State {
  Outside, // waiting for start
  Inside, // a frame
  Skipping, // the rest of an abandoned frame
}

/** Splits an escape-stuffed stream. */
export class Unstuffed extends Framer {
  private state: State = State.Outside;
  private escaped: bool = false; // the last byte was escape
  private content: Kept = new Kept();

  constructor(private rules: Escape) {
    super();
    this.reset();
  }

  held(): i32 {
    return this.content.length;
  }

  reset(): void {
    this.enter(this.rules.start == Escape.NO_START ? State.Inside : State.Outside);
  }

  private enter(state: State): void {
    this.content.clear();
    this.escaped = false;
    this.state = state;
  }

  /** The state after end, which also begins the next frame if it equals start, or if there is no start. */
  private ended(): void {
    this.enter(this.rules.start == Escape.NO_START || this.rules.start == <i32>this.rules.end ? State.Inside : State.Outside);
  }

  protected step(piece: Piece): bool {
    if (this.state == State.Inside && !this.escaped) {
      const rest = piece.rest();
      const n = this.plain(rest);
      if (this.content.length == 0 && n > 0 && n < rest.length && rest[n] == this.rules.end) {
        piece.used += n + 1;
        this.ended();
        return this.give(rest.subarray(0, n));
      }
      this.content.add(rest, n);
      piece.used += n;
      if (piece.left == 0) return false;
    }
    return this.one(piece.bytes[piece.used++]);
  }

  /** The number of unescaped bytes at the front, as far as the frame has room for them. */
  private plain(b: Uint8Array): i32 {
    const most = min(b.length, this.rules.max - this.content.length);
    let n = 0;
    while (n < most && !this.rules.isFlag(b[n]) && b[n] != this.rules.escape) n++;
    return n;
  }

  private one(b: u8): bool {
    if (b == this.rules.end && this.state != State.Outside) return this.end();
    if (this.rules.isStart(b)) {
      const begun = this.state == State.Inside && (this.escaped || this.content.length > 0);
      this.enter(State.Inside);
      return begun && this.fail(FrameError.Broken);
    }
    if (this.state != State.Inside) return false;
    if (this.escaped) {
      const value = this.rules.value(b);
      if (value < 0) return this.giveUp(FrameError.Broken);
      this.escaped = false;
      return this.add(<u8>value);
    }
    if (b != this.rules.escape) return this.add(b);
    this.escaped = true;
    return false;
  }

  /** Returns the frame, or an error if the last byte was escape. */
  private end(): bool {
    const broken = this.escaped;
    const frame = this.content.take();
    this.ended();
    if (broken) return this.fail(FrameError.Broken);
    return frame.length > 0 && this.give(frame);
  }

  private add(b: u8): bool {
    if (this.content.length == this.rules.max) return this.giveUp(FrameError.TooLong);
    this.content.push(b);
    return false;
  }

  private giveUp(why: FrameError): bool {
    this.enter(State.Skipping);
    return this.fail(why);
  }
}
