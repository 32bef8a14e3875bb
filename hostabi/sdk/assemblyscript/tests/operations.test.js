import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { Gateway } from "exproto/testing";
import { load } from "./texts.js";

const vectors = JSON.parse(await readFile(new URL("../../vectors/vectors.json", import.meta.url), "utf8"));
const { exports, call, take } = await load(new URL("../build/operations.wasm", import.meta.url));
const run = (op) => take(call(exports.run, op));

/** Runs the steps of the operation frames. */
async function frames(steps) {
  const gateway = await Gateway.start(new URL("../build/frames.wasm", import.meta.url));
  gateway.created(1);
  const [all, waiting] = [[], []];
  for (const step of steps.split(",")) {
    const [name, arg] = step.split(":");
    if (name === "refuse") {
      gateway.refuse("authenticate", Number(arg));
      continue;
    }
    let action;
    if (name === "bytes") {
      const [digits, times = 1] = arg.split("*");
      action = gateway.bytes(1, Buffer.concat(Array(Number(times)).fill(Buffer.from(digits, "hex"))));
    } else if (name === "alarm") action = gateway.alarm(1, 1);
    else action = gateway.result(1, waiting.shift(), Number(arg));
    const calls = gateway.calls();
    for (const line of calls) waiting.push(...[...line.matchAll(/ token=(\d+)/g)].map((m) => BigInt(m[1])));
    const names = calls.map((line) => line.split(" ")[0]);
    all.push([["continue", "pause", "close"][action], gateway.sent(1).toString(), names.join("+")].join(":"));
  }
  return all.join(";");
}

test("an outcome with an unknown token is ignored", async () => {
  const gateway = await Gateway.start(new URL("../build/frames.wasm", import.meta.url));
  gateway.created(1);
  for (const token of [0n, 7n, 1n << 32n, (1n << 32n) + 9n, 2n ** 63n - 1n, -1n]) {
    assert.equal(gateway.result(1, token, 5), 0);
  }
});

test("vectors have the same outcomes", async () => {
  assert(vectors.length > 400);
  for (const { op, out } of vectors) {
    const got = op.startsWith("frames ") ? await frames(op.slice("frames ".length)) : run(op);
    assert.equal(got, out, op);
  }
});

// Pseudo-random numbers, the same in every run.
let seed = 1;
function noise(below) {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
}
const hex = (n, byte = () => noise(256)) => Buffer.from(Array.from({ length: n }, byte)).toString("hex") || "-";

test("noise is cut alike by a function", () => {
  const byte = () => [0xe5, 0x10, 0x68, 0x68, 0x68, 3, 3, 27][noise(8)];
  for (let i = 0; i < 3000; i++) {
    const all = hex(24, byte);
    const want = run(`ft12 ${all}`);
    const at = 2 * (1 + noise(22));
    assert.equal(run(`ft12 ${all.slice(0, at)},${all.slice(at)}`), want, `${all} cut at ${at}`);
    assert.equal(run(`ft12 ${all.match(/../g).join(",")}`), want, `${all} byte by byte`);
  }
});

test("noise is read, and written as JSON", () => {
  const fields = "u8 u16 u16le u24 u24le u32le u64 i8 i16 i32le i64 bcd bcdle bits bytes skip rest fail".split(" ");
  for (let i = 0; i < 3000; i++) {
    const names = Array.from({ length: noise(8) }, () => `${fields[noise(fields.length)]}:${noise(40)}`);
    assert.match(run(["read", hex(noise(20)), ...names].join(" ")), /(ok|done|bad) \d+$/);
    const bytes = hex(noise(30));
    const text = run(`json 400 t:${bytes}`);
    const want = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.from(bytes.replace("-", ""), "hex"));
    const got = JSON.parse(Buffer.from(text, "hex").toString());
    assert.equal(got.replace(/\ufffd+/g, "\ufffd"), want.replace(/\ufffd+/g, "\ufffd"), bytes);
  }
});

test("every day is converted back", () => {
  for (let day = -719162; day <= 2932896; day += 37) {
    const [date] = run(`civil ${day * 86400} 0`).split("T");
    const words = date.split("-").map(Number).join(" ");
    assert.equal(run(`unix ${words} 0 0 0 0`), `${day * 86400}`);
  }
});
