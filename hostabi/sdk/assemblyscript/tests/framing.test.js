import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const vectors = JSON.parse(await readFile(new URL("../../../conformance/framing.json", import.meta.url), "utf8"));
const framing = await load(new URL("../build/framing.wasm", import.meta.url));

/** The exports of the module. Texts are in AssemblyScript's form: UTF-16 after a header with their length in bytes. */
async function load(file) {
  const { instance } = await WebAssembly.instantiate(await readFile(file), { exproto_v1: { log: () => {} } });
  const { memory, __new, __pin, __unpin, open, feed, outcomes, held, reset, stuff, _initialize } = instance.exports;
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
  return {
    open: (notation) => call(open, notation) !== 0,
    feed: (digits) => call(feed, digits),
    outcomes: () => take(outcomes()),
    stuff: (notation, digits) => take(call(stuff, notation, digits)),
    held,
    reset,
  };
}

test("frames do not depend on the cut", () => {
  for (const { framer, cases } of vectors.framers) {
    for (const { name, in: pieces, out } of cases) {
      const all = pieces.join("");
      const cuts = [pieces, all.match(/../g) ?? []];
      for (let i = 0; i < all.length; i += 2) cuts.push([all.slice(0, i), all.slice(i)]);
      for (const cut of cuts) {
        assert(framing.open(framer));
        cut.forEach(framing.feed);
        assert.equal(framing.outcomes(), out.join(" "), `${framer}: ${name}`);
        framing.reset();
        assert.equal(framing.held(), 0);
        framing.feed(all);
        assert.equal(framing.outcomes(), out.join(" "), `${framer}: ${name} after a reset`);
      }
    }
  }
});

test("stuffing is the opposite", () => {
  for (const { framer, frame, out } of vectors.stuffed) {
    assert.equal(framing.stuff(framer, frame), out);
    framing.open(framer);
    framing.feed(out);
    assert.equal(framing.outcomes(), frame);
  }
});

test("wrong rules are refused", () => {
  for (const notation of vectors.refused) assert(!framing.open(notation), notation);
});
