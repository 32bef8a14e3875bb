import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Action, Gateway } from "exproto/testing";

const file = new URL("../build/probe.wasm", import.meta.url);
let gateway;

beforeEach(async () => {
  gateway = await Gateway.start(file);
  gateway.created(1, { peer: { host: "::1", port: 4000 }, peerCert: { cn: "pump", dn: "CN=pump" } });
  assert.equal(gateway.sent(1).toString(), "created type=0 peer=::1:4000 local=:0 cn=pump dn=CN=pump\n");
});

test("a refusal is logged", async () => {
  await assert.rejects(Gateway.start(file, "refuse"), { message: 'log 8 "starting: the configuration says so"' });
});

test("a device logs in", () => {
  assert.equal(gateway.bytes(1, "auth bus driv"), Action.Continue);
  assert.equal(gateway.bytes(1, "er secret\r\n"), Action.Pause);
  const call = 'authenticate 1 token=1 proto="probe"/"1" clientid="bus" username="driver" mountpoint="" password="secret"';
  assert.deepEqual(gateway.calls(), [call]);
  assert.equal(gateway.result(1, 1, 5, "no"), Action.Continue);
  assert.deepEqual(gateway.calls(), ["resume 1"]);
  assert.equal(gateway.sent(1).toString(), "result 1 5 no\n");
});

test("a refused call is told", () => {
  gateway.refuse("publish", 16);
  gateway.bytes(1, "pub t 1 x\nstate\n");
  assert.equal(gateway.sent(1).toString(), "refused pub 16\nstate 2\n");
  assert.deepEqual(gateway.calls(), ['publish 1 token=2 "t" qos=1 "x"']);
});

test("a timer is set, cancelled and fires", () => {
  gateway.bytes(1, "alarm 3 250\nalarm 3 4294967295\n");
  assert.deepEqual(gateway.calls(), ["set_timer 1 id=3 ms=250", "set_timer 1 id=3 ms=-1"]);
  assert.equal(gateway.alarm(1, 3), Action.Continue);
  assert.equal(gateway.sent(1).toString(), "ok\nok\nalarm 3\n");
});

test("state is saved and comes back", () => {
  gateway.bytes(1, "save a b\nsave\n");
  assert.deepEqual(gateway.calls(), ['save_state 1 token=5 "a b"', 'save_state 1 token=5 ""']);
  gateway.bytes(1, "auth bus\n");
  assert.equal(gateway.loggedIn(1, 1, "7"), Action.Continue);
  assert.equal(gateway.sent(1).toString(), "result 1 0\nkept 7\n");
});

test("messages have every field", () => {
  gateway.messages(1, { node: "n", id: "i", qos: 1, from: "f", topic: "t", payload: "p", timestamp: 1_790_000_000_000 }, {});
  const want = "message node=n id=i qos=1 from=f topic=t at=1790000000000 payload=p\nmessage node= id= qos=0 from= topic= at=0 payload=\n";
  assert.equal(gateway.sent(1).toString(), want);
});

test("an error that nobody catches is logged with its place, and ends the instance", () => {
  assert.throws(() => gateway.bytes(1, "trap\n"), WebAssembly.RuntimeError);
  assert.match(gateway.calls().join(), /^log 8 "the device wants it at examples\/probe\/commands\.ts:\d+:\d+"$/);
});

test("a connection that is gone has no events", () => {
  gateway.closed(1, "tcp_closed");
  assert.deepEqual(gateway.calls(), ['log 0 "closed tcp_closed"']);
  for (const action of [gateway.bytes(1, "echo a\n"), gateway.timer(1), gateway.drain(1)]) assert.equal(action, Action.Close);
  assert.equal(gateway.sent(1).length, 0);
});
