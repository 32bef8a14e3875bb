/** Splits a line into words. Errors show at the end. */
export class Words {
  private bad: bool = false;
  more: bool = true; // there is a space before rest

  constructor(private line: Uint8Array) {}

  /** The next word, which is required. */
  bytes(): Uint8Array {
    if (!this.more) {
      this.bad = true;
      return this.line.subarray(0, 0);
    }
    const end = this.line.indexOf(0x20);
    const word = end < 0 ? this.line : this.line.subarray(0, end);
    this.line = this.line.subarray(end < 0 ? this.line.length : end + 1);
    this.more = end >= 0;
    this.bad = this.bad || word.length == 0;
    return word;
  }

  word(): string {
    return text(this.bytes());
  }

  /** The next word as a decimal 32-bit number. */
  number(): u32 {
    const word = this.bytes();
    let n: u64 = 0;
    for (let i = 0; i < word.length && i < 11; i++) {
      this.bad = this.bad || word[i] < 0x30 || word[i] > 0x39;
      n = n * 10 + word[i] - 0x30;
    }
    this.bad = this.bad || word.length > 10 || n > u32.MAX_VALUE;
    return <u32>n;
  }

  /** The rest of the line, which may be empty. */
  rest(): Uint8Array {
    this.more = false;
    const rest = this.line;
    this.line = rest.subarray(rest.length);
    return rest;
  }

  require(condition: bool): void {
    this.bad = this.bad || !condition;
  }

  /** Whether the line was correct, and nothing is left of it. */
  get whole(): bool {
    return !this.bad && !this.more;
  }
}

export function text(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}
