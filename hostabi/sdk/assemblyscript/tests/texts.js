// Calls functions of a module with texts. They are in AssemblyScript's form: UTF-16 after a header with their length
// in bytes.

import { readFile } from "node:fs/promises";

/** The exports of a module, and functions to call them with texts and to read a text. */
export async function load(file) {
  const { instance } = await WebAssembly.instantiate(await readFile(file), { exproto_v1: { log: () => {} } });
  const { memory, __new, __pin, __unpin, _initialize } = instance.exports;
  _initialize();
  const give = (text) => {
    const at = __pin(__new(text.length * 2, 2));
    new Uint16Array(memory.buffer, at, text.length).set([...text].map((c) => c.charCodeAt(0)));
    return at;
  };
  const take = (at) => Buffer.from(memory.buffer, at, new Uint32Array(memory.buffer, at - 4, 1)[0]).toString("utf16le");
  const call = (f, ...texts) => {
    const given = texts.map(give);
    const result = f(...given);
    given.forEach((at) => __unpin(at));
    return result;
  };
  return { exports: instance.exports, call, take };
}
