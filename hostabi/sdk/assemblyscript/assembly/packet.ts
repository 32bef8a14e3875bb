// Reads and writes the fields of frames: numbers of both byte orders, BCD, bits and bytes. Nothing is read beyond the
// frame or written beyond the maximum. Both keep a fault until the end, so that a protocol checks once, after the last
// field.

/**
 * Reads the fields of a frame from front to back. A field that does not fit into the rest of the frame is a fault: it
 * and all further fields are 0 or empty, and ok is false.
 */
export class PacketReader {
  private at: i32 = 0;
  private end: i32;
  private unread: i32 = 0; // bits of last
  private last: u32 = 0;
  private fault: bool = false;

  constructor(private readonly frame: Uint8Array) {
    this.end = frame.length;
  }

  /** Whether all fields so far were in the frame, and valid. */
  get ok(): bool {
    return !this.fault;
  }

  /** ok, and no byte is left. */
  get done(): bool {
    return !this.fault && this.at == this.end;
  }

  /** The number of unread bytes. */
  get left(): i32 {
    return this.end - this.at;
  }

  /** Makes ok false, for a field whose value is invalid. */
  fail(): void {
    this.fault = true;
    this.at = this.end;
    this.unread = 0;
  }

  /** Consumes n bytes and returns their address; 0 after a fault. Unread bits of the last byte are skipped. */
  private take(n: i32): usize {
    this.unread = 0;
    if (this.fault || n < 0 || n > this.left) {
      this.fail();
      return 0;
    }
    const start = this.frame.dataStart + this.at;
    this.at += n;
    return start;
  }

  /**
   * Reads n bytes, which are not copied. Unread bits of the last byte are skipped, as by every method other than bits.
   */
  bytes(n: i32): Uint8Array {
    const from = this.at;
    this.take(n);
    return this.fault ? new Uint8Array(0) : this.frame.subarray(from, from + n);
  }

  /** Skips n bytes. */
  skip(n: i32): void {
    this.take(n);
  }

  /** Reads all unread bytes. */
  rest(): Uint8Array {
    return this.bytes(this.left);
  }

  private big(n: i32): u64 {
    const start = this.take(n);
    let v: u64 = 0;
    for (let i = 0; i < n && start != 0; i++) v = (v << 8) | load<u8>(start + i);
    return v;
  }

  private little(n: i32): u64 {
    const start = this.take(n);
    let v: u64 = 0;
    for (let i = 0; i < n && start != 0; i++) v |= <u64>load<u8>(start + i) << (8 * i);
    return v;
  }

  /** Reads an unsigned number of 8 bits. */
  uint8(): u8 {
    return <u8>this.big(1);
  }

  /** Reads an unsigned number of 16 bits, big-endian. */
  uint16(): u16 {
    return <u16>this.big(2);
  }

  /** Reads an unsigned number of 16 bits, little-endian. */
  uint16LE(): u16 {
    return <u16>this.little(2);
  }

  /** Reads an unsigned number of 24 bits, big-endian. */
  uint24(): u32 {
    return <u32>this.big(3);
  }

  /** Reads an unsigned number of 24 bits, little-endian. */
  uint24LE(): u32 {
    return <u32>this.little(3);
  }

  /** Reads an unsigned number of 32 bits, big-endian. */
  uint32(): u32 {
    return <u32>this.big(4);
  }

  /** Reads an unsigned number of 32 bits, little-endian. */
  uint32LE(): u32 {
    return <u32>this.little(4);
  }

  /** Reads an unsigned number of 64 bits, big-endian. */
  uint64(): u64 {
    return <u64>this.big(8);
  }

  /** Reads an unsigned number of 64 bits, little-endian. */
  uint64LE(): u64 {
    return <u64>this.little(8);
  }

  /** Reads a signed number of 8 bits. */
  int8(): i8 {
    return <i8>this.big(1);
  }

  /** Reads a signed number of 16 bits, big-endian. */
  int16(): i16 {
    return <i16>this.big(2);
  }

  /** Reads a signed number of 16 bits, little-endian. */
  int16LE(): i16 {
    return <i16>this.little(2);
  }

  /** Reads a signed number of 32 bits, big-endian. */
  int32(): i32 {
    return <i32>this.big(4);
  }

  /** Reads a signed number of 32 bits, little-endian. */
  int32LE(): i32 {
    return <i32>this.little(4);
  }

  /** Reads a signed number of 64 bits, big-endian. */
  int64(): i64 {
    return <i64>this.big(8);
  }

  /** Reads a signed number of 64 bits, little-endian. */
  int64LE(): i64 {
    return <i64>this.little(8);
  }

  /** Reads an IEEE 754 number of 32 bits, big-endian. */
  float32(): f32 {
    return reinterpret<f32>(this.uint32());
  }

  /** Reads an IEEE 754 number of 32 bits, little-endian. */
  float32LE(): f32 {
    return reinterpret<f32>(this.uint32LE());
  }

  /** Reads an IEEE 754 number of 64 bits, big-endian. */
  float64(): f64 {
    return reinterpret<f64>(this.uint64());
  }

  /** Reads an IEEE 754 number of 64 bits, little-endian. */
  float64LE(): f64 {
    return reinterpret<f64>(this.uint64LE());
  }

  /**
   * Reads 2n decimal digits from n bytes, at most 9, the most significant first. Another digit than 0 to 9 is a fault.
   */
  bcd(n: i32): u64 {
    return this.digits(n, true);
  }

  /** bcd with the bytes in the other order, as on the M-Bus. */
  bcdLE(n: i32): u64 {
    return this.digits(n, false);
  }

  private digits(n: i32, big: bool): u64 {
    if (n > 9) this.fail();
    const start = this.take(n);
    let v: u64 = 0;
    for (let i = 0; i < n && !this.fault; i++) {
      const b = load<u8>(start + (big ? i : n - 1 - i));
      if (b >> 4 > 9 || (b & 15) > 9) this.fail();
      v = v * 100 + (b >> 4) * 10 + (b & 15);
    }
    return this.fault ? 0 : v;
  }

  /** Reads n bits, at most 32, the most significant of a byte first. */
  bits(n: i32): u32 {
    if (n < 0 || n > 32 || n > this.unread + 8 * <i64>this.left) {
      this.fail();
      return 0;
    }
    let v: u32 = 0;
    for (; n > 0; n--) {
      if (this.unread == 0) {
        this.last = this.frame[this.at++];
        this.unread = 8;
      }
      v = (v << 1) | ((this.last >> --this.unread) & 1);
    }
    return v;
  }
}

/**
 * Writes the fields of a frame. It holds at most max bytes: a field that does not fit is left out as a whole, and ok is
 * false from then on. Use it for one frame after another: reset keeps its memory.
 */
export class PacketWriter {
  private readonly room: Uint8Array;
  private length: i32 = 0;
  private full: bool = false;

  /** @param max the largest frame, in bytes, which are allocated at once */
  constructor(max: i32) {
    this.room = new Uint8Array(max);
  }

  /** Starts a new frame. */
  reset(): void {
    this.length = 0;
    this.full = false;
  }

  /** Whether all fields fit. */
  get ok(): bool {
    return !this.full;
  }

  /** The frame, valid until reset. */
  written(): Uint8Array {
    return this.room.subarray(0, this.length);
  }

  /** Makes room for n bytes and returns their address; 0 if there is none. */
  private take(n: i32): usize {
    this.full = this.full || n > this.room.length - this.length;
    if (this.full) return 0;
    const start = this.room.dataStart + this.length;
    this.length += n;
    return start;
  }

  /** Writes bytes. */
  bytes(bytes: Uint8Array): void {
    const start = this.take(bytes.length);
    if (start != 0) memory.copy(start, bytes.dataStart, bytes.length);
  }

  /** Writes a text as UTF-8. */
  text(text: string): void {
    this.bytes(Uint8Array.wrap(String.UTF8.encode(text)));
  }

  private big(v: u64, n: i32): void {
    const start = this.take(n);
    for (let i = 0; i < n && start != 0; i++) store<u8>(start + i, <u8>(v >> (8 * (n - 1 - i))));
  }

  private little(v: u64, n: i32): void {
    const start = this.take(n);
    for (let i = 0; i < n && start != 0; i++) store<u8>(start + i, <u8>(v >> (8 * i)));
  }

  /** Writes a number of 8 bits, signed or not. */
  uint8(v: u8): void {
    this.big(v, 1);
  }

  /** Writes a number of 16 bits, signed or not, big-endian. */
  uint16(v: u16): void {
    this.big(v, 2);
  }

  /** Writes a number of 16 bits, signed or not, little-endian. */
  uint16LE(v: u16): void {
    this.little(v, 2);
  }

  /** Writes the lower 24 bits of v, big-endian. */
  uint24(v: u32): void {
    this.big(v, 3);
  }

  /** Writes the lower 24 bits of v, little-endian. */
  uint24LE(v: u32): void {
    this.little(v, 3);
  }

  /** Writes a number of 32 bits, signed or not, big-endian. */
  uint32(v: u32): void {
    this.big(v, 4);
  }

  /** Writes a number of 32 bits, signed or not, little-endian. */
  uint32LE(v: u32): void {
    this.little(v, 4);
  }

  /** Writes a number of 64 bits, signed or not, big-endian. */
  uint64(v: u64): void {
    this.big(v, 8);
  }

  /** Writes a number of 64 bits, signed or not, little-endian. */
  uint64LE(v: u64): void {
    this.little(v, 8);
  }

  /** Writes an IEEE 754 number of 32 bits, big-endian. */
  float32(v: f32): void {
    this.uint32(reinterpret<u32>(v));
  }

  /** Writes an IEEE 754 number of 32 bits, little-endian. */
  float32LE(v: f32): void {
    this.uint32LE(reinterpret<u32>(v));
  }

  /** Writes an IEEE 754 number of 64 bits, big-endian. */
  float64(v: f64): void {
    this.uint64(reinterpret<u64>(v));
  }

  /** Writes an IEEE 754 number of 64 bits, little-endian. */
  float64LE(v: f64): void {
    this.uint64LE(reinterpret<u64>(v));
  }

  /** Writes v as 2n decimal digits in n bytes, at most 9, the most significant first. Higher digits are left out. */
  bcd(v: u64, n: i32): void {
    this.digits(v, n, true);
  }

  /** bcd with the bytes in the other order. */
  bcdLE(v: u64, n: i32): void {
    this.digits(v, n, false);
  }

  private digits(v: u64, n: i32, big: bool): void {
    if (n > 9) this.full = true;
    const start = this.take(n);
    for (let i = 0; i < n && start != 0; i++, v /= 100) {
      store<u8>(start + (big ? n - 1 - i : i), <u8>(((v / 10) % 10 << 4) | v % 10));
    }
  }
}
