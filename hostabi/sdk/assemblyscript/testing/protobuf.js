// The part of protobuf that the messages of exproto_v1 use.

function varint(value) {
  const bytes = [];
  let rest = BigInt(value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

/** Concatenates fields. */
export function message(...all) {
  return Buffer.concat(all.map((field) => Buffer.from(field)));
}

/** A number field; 0 is omitted. */
export function number(field, value = 0) {
  return value === 0 ? [] : [field << 3, ...varint(value)];
}

/** A bytes field; omitted if empty, unless always is set. */
export function bytesField(field, value = "", always = false) {
  const bytes = Buffer.from(value);
  return bytes.length === 0 && !always ? [] : [(field << 3) | 2, ...varint(bytes.length), ...bytes];
}

export const text = bytesField;

/** The length-delimited fields of a message, by number. */
export function fields(bytes) {
  return new Map(allFields(bytes).filter(([, value]) => typeof value !== "number"));
}

/** All fields of a message in order, as [number, value]: a number, or bytes. */
export function allFields(bytes) {
  const all = [];
  let at = 0;
  const next = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const b = bytes[at++];
      value |= (b & 0x7f) << shift;
      if (b < 0x80) return value >>> 0;
    }
  };
  while (at < bytes.length) {
    const tag = next();
    const value = next();
    if ((tag & 7) !== 2) {
      all.push([tag >>> 3, value]);
      continue;
    }
    all.push([tag >>> 3, bytes.subarray(at, at + value)]);
    at += value;
  }
  return all;
}
