// The part of protobuf that the messages of exproto_v1 use.

/** Reads the fields of a message one by one, up to the first malformed one. */
export class Fields {
  number: u64 = 0;
  value: u64 = 0;
  start: usize = 0; // of the bytes of a field that has a length
  length: i32 = 0;
  malformed: bool = false;

  constructor(
    private at: usize,
    private end: usize,
  ) {}

  /** Moves to the next field. */
  next(): bool {
    if (this.at >= this.end || this.malformed) return false;
    this.malformed = !this.field();
    return !this.malformed;
  }

  /** The field as text. Invalid UTF-8 is replaced; the host sends none. */
  text(): string {
    return String.UTF8.decodeUnsafe(this.start, this.length);
  }

  /** A copy of the field's bytes, which outlives the event. */
  bytes(): Uint8Array {
    const copy = new Uint8Array(this.length);
    memory.copy(copy.dataStart, this.start, this.length);
    return copy;
  }

  /** The field as a message. */
  message(): Fields {
    return new Fields(this.start, this.start + this.length);
  }

  /** The value of a uint32 or enum field: protobuf takes the lower half of the number. */
  low(): u32 {
    return <u32>this.value;
  }

  private field(): bool {
    const tag = this.varint();
    this.number = tag >> 3;
    this.value = 0;
    this.length = 0;
    if (this.malformed || this.number == 0 || this.number >= 1 << 29) return false;
    switch (<i32>(tag & 7)) {
      case 0:
        this.value = this.varint();
        return !this.malformed;
      case 1:
        return this.take(8);
      case 2:
        const length = this.varint();
        return !this.malformed && this.take(length);
      case 5:
        return this.take(4);
    }
    return false;
  }

  private take(n: u64): bool {
    if (n > <u64>(this.end - this.at)) return false;
    this.start = this.at;
    this.length = <i32>n;
    this.at += <usize>n;
    return true;
  }

  private varint(): u64 {
    let value: u64 = 0;
    for (let i = 0; i < 10 && this.at < this.end; i++) {
      const b = load<u8>(this.at++);
      if (i == 9 && b > 1) break;
      value |= (<u64>(b & 0x7f)) << (7 * i);
      if (b < 0x80) return value;
    }
    this.malformed = true;
    return 0;
  }
}

/** Writes fields. */
export class Writer {
  bytes: StaticArray<u8>;
  length: i32 = 0;

  constructor(room: i32) {
    this.bytes = new StaticArray<u8>(room);
  }

  get start(): usize {
    return changetype<usize>(this.bytes);
  }

  /** Appends a field, unless it is empty. There must be room for it, and for 6 more bytes. */
  put(field: i32, from: usize, n: i32): void {
    if (n == 0) return;
    this.byte(<u8>((field << 3) | 2));
    let rest = <u32>n;
    while (rest >= 0x80) {
      this.byte(<u8>(rest | 0x80));
      rest >>= 7;
    }
    this.byte(<u8>rest);
    memory.copy(this.start + this.length, from, n);
    this.length += n;
  }

  /** Appends a number field, unless it is 0. There must be room for 6 bytes. */
  number(field: i32, value: u32): void {
    if (value == 0) return;
    this.byte(<u8>(field << 3));
    while (value >= 0x80) {
      this.byte(<u8>(value | 0x80));
      value >>= 7;
    }
    this.byte(<u8>value);
  }

  /** Appends a message, also an empty one. */
  message(field: i32, inner: Writer): void {
    if (inner.length > 0) {
      this.put(field, inner.start, inner.length);
      return;
    }
    this.byte(<u8>((field << 3) | 2));
    this.byte(0);
  }

  private byte(b: u8): void {
    this.bytes[this.length++] = b;
  }
}
