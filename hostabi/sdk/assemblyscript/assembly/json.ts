const MAX_DEPTH: i32 = 16;
const OBJECT: u8 = 0x7d; // }
const ARRAY: u8 = 0x5d; // ]

/**
 * Writes one JSON text after another into the same memory.
 *
 * A text that does not fit, has objects and arrays more than 16 deep, or is not JSON (a value without its key, an
 * object without its end), is a fault: ok is false.
 */
export class JSONWriter {
  private readonly room: Uint8Array;
  private length: i32 = 0;
  private fault: bool = false;
  private depth: i32 = 0;
  private readonly open: StaticArray<u8> = new StaticArray<u8>(MAX_DEPTH); // the ends of what has begun
  private more: bool = false; // a comma goes before the next value
  private keyed: bool = false; // the key of the next value is written
  private complete: bool = false;

  /** @param max the largest text, in bytes, which are allocated at once */
  constructor(max: i32) {
    this.room = new Uint8Array(max);
  }

  /** Starts a new text. */
  reset(): void {
    this.length = 0;
    this.depth = 0;
    this.fault = this.more = this.keyed = this.complete = false;
  }

  /** Whether a whole text was written. */
  get ok(): bool {
    return !this.fault && this.depth == 0 && this.complete;
  }

  /** The text, valid until reset; empty if ok is false. */
  written(): Uint8Array {
    return this.room.subarray(0, this.ok ? this.length : 0);
  }

  private put(c: i32): void {
    this.fault = this.fault || this.length >= this.room.length;
    if (!this.fault) this.room[this.length++] = <u8>c;
  }

  private raw(text: string): void {
    for (let i = 0; i < text.length; i++) this.put(text.charCodeAt(i));
  }

  private inObject(): bool {
    return this.depth > 0 && this.open[this.depth - 1] == OBJECT;
  }

  /** Begins a value, after a comma if one is due. */
  private value(): void {
    if (this.inObject() != this.keyed || this.complete) this.fault = true;
    if (this.more && !this.keyed) this.put(0x2c);
    this.more = true;
    this.keyed = false;
    this.complete = this.depth == 0;
  }

  private begin(start: i32, end: u8): void {
    this.value();
    this.fault = this.fault || this.depth == MAX_DEPTH;
    if (this.fault) return;
    this.put(start);
    this.open[this.depth++] = end;
    this.more = this.complete = false;
  }

  private end(c: u8): void {
    this.fault = this.fault || this.depth == 0 || this.open[this.depth - 1] != c || this.keyed;
    if (this.fault) return;
    this.depth--;
    this.put(c);
    this.more = true;
    this.complete = this.depth == 0;
  }

  /** Begins an object. */
  object(): void {
    this.begin(0x7b, OBJECT);
  }

  /** Ends it. */
  endObject(): void {
    this.end(OBJECT);
  }

  /** Begins an array. */
  array(): void {
    this.begin(0x5b, ARRAY);
  }

  /** Ends it. */
  endArray(): void {
    this.end(ARRAY);
  }

  /** Writes the name of the next value of an object. */
  key(name: string): void {
    if (!this.inObject() || this.keyed) this.fault = true;
    if (this.more) this.put(0x2c);
    this.quote(Uint8Array.wrap(String.UTF8.encode(name)));
    this.put(0x3a);
    this.keyed = true;
  }

  /** Writes a string. */
  text(text: string): void {
    this.textBytes(Uint8Array.wrap(String.UTF8.encode(text)));
  }

  /** Writes a string in UTF-8. Bytes that are not UTF-8 become U+FFFD. */
  textBytes(bytes: Uint8Array): void {
    this.value();
    this.quote(bytes);
  }

  private quote(bytes: Uint8Array): void {
    this.put(0x22);
    for (let i = 0; i < bytes.length && !this.fault; ) {
      const n = sequence(bytes, i);
      if (n == 1) this.escaped(bytes[i]);
      if (n == 0) {
        this.put(0xef);
        this.put(0xbf);
        this.put(0xbd);
      }
      for (let j = 0; n > 1 && j < n; j++) this.put(bytes[i + j]);
      i += max(n, 1);
    }
    this.put(0x22);
  }

  /** Writes a character of ASCII inside of a string. */
  private escaped(c: u8): void {
    if (c == 0x22 || c == 0x5c) {
      this.put(0x5c);
      this.put(c);
    } else if (c == 0x0a) this.raw("\\n");
    else if (c == 0x0d) this.raw("\\r");
    else if (c == 0x09) this.raw("\\t");
    else if (c < 0x20) {
      this.raw("\\u00");
      this.put(0x30 + (c >> 4));
      this.put((c & 15) < 10 ? 0x30 + (c & 15) : 0x57 + (c & 15));
    } else this.put(c);
  }

  /** Writes a number. */
  int(v: i64): void {
    this.decimal(v, 0);
  }

  /** Writes a number. */
  uint(v: u64): void {
    this.value();
    this.digits(v, 0);
  }

  /**
   * Writes v divided by 10 to the power of decimals, 0 to 9, without zeros at the end: decimal(2150, 2) writes 21.5. It
   * is exact, for protocols whose values are whole tenths or hundredths.
   */
  decimal(v: i64, decimals: i32): void {
    this.value();
    if (decimals < 0 || decimals > 9) {
      this.fault = true;
      return;
    }
    if (v < 0) this.put(0x2d);
    this.digits(v < 0 ? 0 - <u64>v : <u64>v, decimals);
  }

  private digits(v: u64, decimals: i32): void {
    for (; decimals > 0 && v % 10 == 0; decimals--) v /= 10;
    let power: u64 = 1;
    let n = 1;
    while (v / power >= 10 || n <= decimals) {
      power *= 10;
      n++;
    }
    for (; n > 0; n--, power /= 10) {
      this.put(0x30 + <i32>((v / power) % 10));
      if (n - 1 == decimals && decimals > 0) this.put(0x2e);
    }
  }

  /**
   * Writes v, rounded to at most so many decimals, 0 to 9, and without zeros at the end: float(21.299999, 2) writes
   * 21.3. Infinity, NaN and values of 9e18 and more are null, because JSON or its readers do not have them.
   */
  float(v: f64, decimals: i32): void {
    if (decimals < 0 || decimals > 9) this.fault = true;
    if (!(v > -9e18 && v < 9e18)) {
      this.null();
      return;
    }
    this.value();
    const large: f64 = 4503599627370496; // 2 to the power of 52
    const size = abs(v);
    let scale: f64 = 1;
    let places = 0;
    for (; places < decimals && size * scale < large; places++) scale *= 10;
    for (; places > 0 && size * scale >= 2 * large; places--) scale /= 10;
    const scaled = size * scale;
    let whole = <u64>scaled;
    if (scaled - <f64>whole >= 0.5) whole++;
    if (v < 0 && whole > 0) this.put(0x2d);
    this.digits(whole, places);
  }

  /** Writes true or false. */
  bool(v: boolean): void {
    this.value();
    this.raw(v ? "true" : "false");
  }

  /** Writes null. */
  null(): void {
    this.value();
    this.raw("null");
  }
}

/** The length of the UTF-8 sequence at i, 0 if there is none. */
function sequence(bytes: Uint8Array, i: i32): i32 {
  const c = bytes[i];
  if (c < 0x80) return 1;
  const n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
  if (c < 0xc2 || c > 0xf4 || i + n > bytes.length) return 0;
  for (let j = 1; j < n; j++) {
    if ((bytes[i + j] & 0xc0) != 0x80) return 0;
  }
  const second = bytes[i + 1];
  const low = (c == 0xe0 && second < 0xa0) || (c == 0xf0 && second < 0x90);
  return low || (c == 0xed && second >= 0xa0) || (c == 0xf4 && second >= 0x90) ? 0 : n;
}
