import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JSONEcho } from '../jsonecho/protocol.js';
import { JSONStream } from '../jsonecho/stream.js';
import { Code, Conn, Result } from '@exgate/handler';

const CONNECT = '{"type":1,"clientinfo":{"clientid":"c1","keepalive":60},"password":"p"}';
const REST = '{"type":5,"topic":"t/#","qos":1} {"type":3,"topic":"t","qos":2,"payload":"x}\\"{"}\n{"type":10,"topic":"r"}{"type":7,"topic":"t/#"}';
const DEEP = '{"a":'.repeat(9000);

/** A connection that writes down what is asked of it. */
class Recorded extends Conn {
  calls = [];

  constructor(code = Code.SUCCESS) {
    super('a');
    this.result = new Result(code);
  }

  async command(name, fields) {
    this.calls.push(`${name} ${JSON.stringify(fields, (_, v) => (v?.type === 'Buffer' ? Buffer.from(v.data).toString() : v))}`);
    return this.result;
  }
}

async function talk(code, ...pieces) {
  const conn = new Recorded(code);
  const echo = new JSONEcho(conn);
  for (const piece of pieces) await echo.onReceivedBytes(Buffer.from(piece));
  return { conn, echo };
}

for (const size of [1, 2, 3, 7, 64, 1000]) {
  test(`a conversation in pieces of ${size}`, async () => {
    const pieces = (CONNECT + REST).match(new RegExp(`[^]{1,${size}}`, 'g'));
    const { conn, echo } = await talk(Code.SUCCESS, ...pieces);
    const message = { topic: 't', qos: 1, payload: Buffer.from([0xff]) };
    await echo.onReceivedMessages([message]);
    await echo.onReceivedBytes(Buffer.from('{"type":9}{"type":3}'));
    await echo.onReceivedMessages([message]);
    assert.deepEqual(conn.calls, [
      'authenticate {"clientinfo":{"clientid":"c1","username":"","proto_name":"","proto_ver":"","mountpoint":""},"password":"p"}',
      'start_timer {"interval":60,"type":0}',
      'send {"bytes":"{\\"type\\":2,\\"code\\":0}"}',
      'subscribe {"topic":"t/#","qos":1}',
      'send {"bytes":"{\\"type\\":6,\\"code\\":0}"}',
      'publish {"topic":"t","payload":"x}\\"{","qos":2}',
      'send {"bytes":"{\\"type\\":4,\\"code\\":0}"}',
      'raw_publish {"topic":"r","payload":"","qos":0}',
      'send {"bytes":"{\\"type\\":4,\\"code\\":0}"}',
      'unsubscribe {"topic":"t/#"}',
      'send {"bytes":"{\\"type\\":8,\\"code\\":0}"}',
      'send {"bytes":"{\\"type\\":3,\\"topic\\":\\"t\\",\\"qos\\":1,\\"payload\\":\\"\ufffd\\"}"}',
      'close {}',
    ]);
  });
}

const names = ({ calls }) => calls.map((call) => call.split(' ')[0]);

test('a refused login', async () => {
  const { conn } = await talk(Code.PERMISSION_DENY, CONNECT + REST);
  assert.deepEqual(names(conn), ['authenticate', 'send', 'close']);
});

test('refused requests end', async () => {
  const { conn } = await talk(Code.PERMISSION_DENY, '{"type":7,"topic":"t"}'.repeat(50));
  assert.equal(names(conn).filter((name) => name === 'send').length, 10);
  assert.equal(conn.calls.at(-1), 'close {}');
});

test('a timeout', async () => {
  const { conn, echo } = await talk(Code.SUCCESS);
  await echo.onTimerTimeout();
  assert.deepEqual(names(conn), ['send', 'close']);
});

for (const frame of ['[]', 'null', 'GET / HTTP/1.1', '{"type":}', '{]}', `${DEEP}}`, '{"type":9}', '{"type":"x"}', '{}', '\0', '"x"']) {
  test(`what closes: ${frame.slice(0, 20)}`, async () => {
    const { conn } = await talk(Code.SUCCESS, frame, '}'.repeat(9000));
    assert.deepEqual(conn.calls, ['close {}']);
  });
}

for (const frame of [
  '{"type":1,"clientinfo":[]}',
  '{"type":1,"clientinfo":null}',
  '{"type":3,"topic":{},"payload":{"a":[]}}',
  '{"type":3,"qos":-1}',
]) {
  test(`what is odd: ${frame}`, async () => {
    const { conn } = await talk(Code.PARAMS_TYPE_ERROR, frame);
    assert.equal(JSON.parse(JSON.parse(conn.calls.find((call) => call.startsWith('send')).slice(5)).bytes).code, 1);
  });
}

for (const piece of ['{"a":[', '{'.repeat(500), `{"${'\\'.repeat(501)}`]) {
  test(`an endless object of ${piece.slice(0, 8)}`, () => {
    const stream = new JSONStream();
    let fed = 0;
    for (; !stream.broken; fed += piece.length) assert.deepEqual(stream.feed(Buffer.from(piece)), []);
    assert.ok(fed < 1_100_000);
  });
}

test('objects before the break', () => {
  const stream = new JSONStream();
  assert.deepEqual(stream.feed(Buffer.from('{"a":1}{"b":2}oops')), [{ a: 1 }, { b: 2 }]);
  assert.ok(stream.broken);
});
