import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { load } from "./texts.js";

const vectors = JSON.parse(await readFile(new URL("../../../conformance/framing.json", import.meta.url), "utf8"));
const { exports, call, take } = await load(new URL("../build/framing.wasm", import.meta.url));
const framing = {
  open: (notation) => call(exports.open, notation) !== 0,
  feed: (digits) => call(exports.feed, digits),
  outcomes: () => take(exports.outcomes()),
  stuff: (notation, digits) => take(call(exports.stuff, notation, digits)),
  held: exports.held,
  reset: exports.reset,
};

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
