// The framing helpers as a module fed by a test: vectors with frames larger than the probe accepts, and stuffing.

import { abort, Escape, FrameError, Framer, parseRules, Piece } from "../assembly";
export { abort };

let framer: Framer | null = null;
let found: string[] = [];

function hex(bytes: Uint8Array): string {
  let digits = "";
  for (let i = 0; i < bytes.length; i++) digits += (bytes[i] >> 4).toString(16) + (bytes[i] & 15).toString(16);
  return digits;
}

/** Whether the notation is valid. */
export function open(notation: string): bool {
  const rules = parseRules(notation);
  if (rules === null || rules.check() !== null) return false;
  framer = rules.framer();
  found = [];
  return true;
}

/** Feeds a piece, given as hexadecimal digits. */
export function feed(digits: string): void {
  const piece = new Piece(bytesOf(digits));
  const f = framer!;
  while (f.next(piece)) found.push(f.error == FrameError.TooLong ? "too_long" : f.error == FrameError.Broken ? "broken" : hex(f.frame));
}

export function outcomes(): string {
  return found.join(" ");
}

export function held(): i32 {
  return framer!.held();
}

export function reset(): void {
  framer!.reset();
  found = [];
}

export function stuff(notation: string, digits: string): string {
  return hex((<Escape>parseRules(notation)!).stuff(bytesOf(digits)));
}

function bytesOf(digits: string): Uint8Array {
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = <u8>parseInt(digits.substr(2 * i, 2), 16);
  return bytes;
}
