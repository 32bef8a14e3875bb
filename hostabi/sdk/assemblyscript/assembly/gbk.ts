// Converts between texts and GBK, the encoding of texts from Chinese devices, as Windows does (code page 936). It adds
// 48 KB to a module that decodes and 16 KB more to one that encodes. Characters for private use are not converted.

import { chars, order, ORDERED } from "./gbktable";

const WIDTH: i32 = 190; // pairs for each first byte

/** The character of the pair with an index, 0 if there is none. */
function char(pair: i32): i32 {
  return load<u16>(chars() + 2 * pair);
}

/** The text of GBK. Bytes that are not GBK become U+FFFD. */
export function fromGBK(bytes: Uint8Array): string {
  const out = new StaticArray<u16>(bytes.length);
  let n = 0;
  for (let i = 0; i < bytes.length; i++) {
    const first: i32 = bytes[i];
    let c: i32 = 0xfffd;
    if (first < 0x80) c = first;
    else if (first == 0x80) c = 0x20ac;
    else if (first < 0xff && i + 1 < bytes.length) {
      const second: i32 = bytes[i + 1];
      if (second >= 0x40 && second != 0x7f && second != 0xff) {
        i++;
        const found: i32 = char((first - 0x81) * WIDTH + second - 0x40 - (second > 0x7f ? 1 : 0));
        if (found != 0) c = found;
      }
    }
    out[n++] = <u16>c;
  }
  return String.UTF16.decodeUnsafe(changetype<usize>(out), 2 * n);
}

/** GBK of a text. Characters that GBK does not have become ?, and all is false. */
export class GBK {
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** Whether GBK has all characters of the text. */
  readonly all: bool;

  constructor(text: string) {
    const out = new Uint8Array(2 * text.length);
    let n = 0;
    let all = true;
    for (let i = 0; i < text.length; i++) {
      const c = text.codePointAt(i);
      if (c > 0xffff) i++;
      const pair = c < 0x80 || c > 0xffff ? -1 : find(c);
      if (c < 0x80 || c == 0x20ac) {
        out[n++] = c < 0x80 ? <u8>c : 0x80;
      } else if (pair < 0) {
        out[n++] = 0x3f; // ?
        all = false;
      } else {
        const second = (pair % WIDTH) + 0x40;
        out[n++] = <u8>(pair / WIDTH + 0x81);
        out[n++] = <u8>(second >= 0x7f ? second + 1 : second);
      }
    }
    this.bytes = out.subarray(0, n);
    this.all = all;
  }
}

/** The index of the pair of c, or -1. */
function find(c: i32): i32 {
  for (let part = 0; part < 3; part++) {
    let low = 0;
    let high = part == 0 ? ORDERED : part == 1 ? 32 * WIDTH : 83 * 96;
    while (low < high) {
      const middle = (low + high) / 2;
      const i = pair(part, middle);
      const found: i32 = char(i);
      if (found == c) return i;
      if (found < c) low = middle + 1;
      else high = middle;
    }
  }
  return -1;
}

/** Pair i of a part of the table: 0 has the characters that are not in the order of Unicode, 1 and 2 are in it. */
function pair(part: i32, i: i32): i32 {
  if (part == 0) return load<u16>(order() + 2 * i);
  return part == 1 ? i : (41 + i / 96) * WIDTH + (i % 96);
}
