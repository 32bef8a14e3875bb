/** Answers to be sent together. */
export class Answers {
  private room: Uint8Array = new Uint8Array(256);
  private length: i32 = 0;

  /** Adds a line of text. */
  say(line: string): void {
    this.put(line);
    this.put("\n");
  }

  /** Adds a line of text and bytes. */
  sayBytes(head: string, bytes: Uint8Array): void {
    this.put(head);
    this.putBytes(bytes);
    this.put("\n");
  }

  /** Adds bytes to the line. */
  putBytes(bytes: Uint8Array): void {
    this.copy(bytes.dataStart, bytes.length);
  }

  /** Adds text to the line. */
  put(text: string): void {
    const bytes = String.UTF8.encode(text);
    this.copy(changetype<usize>(bytes), bytes.byteLength);
  }

  private copy(start: usize, n: i32): void {
    if (this.length + n > this.room.length) {
      const larger = new Uint8Array(2 * (this.length + n));
      memory.copy(larger.dataStart, this.room.dataStart, this.length);
      this.room = larger;
    }
    memory.copy(this.room.dataStart + this.length, start, n);
    this.length += n;
  }

  /** Returns the answers and drops them. */
  take(): Uint8Array {
    const all = this.room.subarray(0, this.length);
    this.length = 0;
    return all;
  }
}
