import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { Code, Handler } from '../src/index.js';
import { recorder, serve, until } from './gateway.js';

const created = (conn, id, fields = {}) => ({ conn, seq: 1, created: { id, ...fields } });
const data = (conn, seq, text) => ({ conn, seq, bytes: Buffer.from(text) });
const closed = (conn, seq, reason = 'normal') => ({ conn, seq, closed: { reason } });

async function begin(t, handler, hello) {
  const gateway = await serve(t, handler);
  return { gateway, session: await gateway.session(hello) };
}

test('events and their acknowledgements', async (t) => {
  const Recorder = recorder();
  const { session } = await begin(t, Recorder);
  assert.equal(session.hello.version, 1);
  assert.equal(session.hello.program, 'Recorder');
  const messages = { messages: [{ topic: 't', payload: Buffer.from('1') }] };
  session.events(created(7, 'a'), data(7, 2, 'x'), { conn: 7, seq: 3, messages });
  session.events({ conn: 7, seq: 4, timer_timeout: {} }, { conn: 7, seq: 5, drain: {} }, { conn: 7, seq: 6 });
  session.events(closed(7, 7), data(7, 8, 'late'), data(9, 1, 'foreign'));
  let acked = 0;
  while (acked < 7) acked = Math.max(acked, ...(await session.receive()).commands.map(({ ack }) => ack));
  assert.deepEqual(Recorder.events, ['a created 0 ', 'a x', 'a t=1', 'a timer 0', 'a drain', 'a closed normal']);
});

test('an ack follows the commands of its callback', async (t) => {
  const { session } = await begin(t, recorder());
  session.events(created(1, 'a'));
  assert.deepEqual(await session.commands(1), ['{"conn":1,"ack":1}']);
  session.events(data(1, 2, 'send'));
  assert.deepEqual(await session.commands(1), ['{"conn":1,"ack":2,"send":"answer"}']);
});

test('a callback waits for a result', async (t) => {
  const Recorder = recorder();
  const { session } = await begin(t, Recorder);
  session.events(created(1, 'a'), data(1, 2, 'publish'), data(1, 3, 'behind'));
  const publish = '{"conn":1,"token":1,"publish":{"topic":"t","qos":1,"payload":"x"}}';
  assert.deepEqual(await session.commands(2), ['{"conn":1,"ack":1}', publish]);
  session.events({ conn: 1, result: { token: 99 } }, { conn: 1, result: { token: 1, code: Code.PERMISSION_DENY, message: 'no' } });
  await until(() => Recorder.events.at(-1) === 'a behind');
  assert.deepEqual(Recorder.events.slice(1), ['a published 5', 'a publish', 'a behind']);
});

test('timers', async (t) => {
  const Recorder = recorder();
  const { session } = await begin(t, Recorder);
  session.events(created(1, 'a'), data(1, 2, 'alarm'));
  const [, set] = await session.commands(2);
  assert.equal(set, '{"conn":1,"token":1,"set_timer":{"id":3,"ms":250}}');
  session.events({ conn: 1, result: { token: 1 } });
  assert.deepEqual(await session.commands(1), ['{"conn":1,"token":2,"set_timer":{"id":3,"ms":-1}}']);
  session.events({ conn: 1, result: { token: 2 } }, { conn: 1, seq: 3, alarm: { id: 3 } });
  await until(() => Recorder.events.at(-1) === 'a alarm 3');
  assert.deepEqual(Recorder.events.slice(1, -1), ['a set 0 ', 'a cancelled 0', 'a alarm']);
});

test('timers of an older gateway', async (t) => {
  const Recorder = recorder();
  const { session } = await begin(t, Recorder, { features: [] });
  session.events(created(1, 'a'), data(1, 2, 'alarm'));
  await until(() => Recorder.events.at(-1) === 'a alarm');
  assert.equal(Recorder.events[1], `a set ${Code.PARAMS_TYPE_ERROR} the gateway has no timers: it needs a newer version`);
});

test('state', async (t) => {
  const Recorder = recorder();
  const { session } = await begin(t, Recorder);
  assert.deepEqual(session.hello.features, ['state', 'properties']);
  session.events(created(1, 'a'), data(1, 2, 'login'), data(1, 3, 'save'));
  await session.commands(2);
  session.events({ conn: 1, result: { token: 1, state: Buffer.from('7') } });
  const [, save] = await session.commands(2);
  assert.equal(save, '{"conn":1,"token":2,"save_state":{"state":"8"}}');
  session.events({ conn: 1, result: { token: 2 } });
  await until(() => Recorder.events.at(-1) === 'a save');
  assert.deepEqual(Recorder.events.slice(1), ['a state 7', 'a login', 'a saved 0 ', 'a save']);
});

test('state of an older gateway', async (t) => {
  const Recorder = recorder();
  const { session } = await begin(t, Recorder, { features: [] });
  assert.deepEqual(session.hello.features, []);
  session.events(created(1, 'a'), data(1, 2, 'save'));
  await until(() => Recorder.events.at(-1) === 'a save');
  assert.equal(Recorder.events[1], `a saved ${Code.PARAMS_TYPE_ERROR} the gateway keeps no state: it needs a newer version`);
});

/** A handler class that publishes with properties, and answers requests. */
function requester() {
  return class Requester extends Handler {
    static events = [];

    onSocketCreated({ properties }) {
      Requester.events.push(properties);
    }

    async onReceivedBytes(data) {
      const all = { retain: true, expiry: 60, contentType: 'text/plain', responseTopic: 'a', correlation: '7', user: [['k', 'v']] };
      const { code, message } = await this.conn.publishWith('t', data, all, 1);
      Requester.events.push(`published ${code} ${message}`);
      Requester.events.push((await this.conn.publishWith('t', data, { expiry: -1 })).code);
    }

    async onReceivedMessages(messages) {
      for (const message of messages) {
        const { code } = await this.conn.answer(message, message.payload, 1);
        Requester.events.push([message.topic, message.properties?.user, code]);
      }
    }
  };
}

test('properties', async (t) => {
  const Requester = requester();
  const { session } = await begin(t, Requester);
  session.events(created(1, 'a', { properties: [{ name: 'path', value: '/ws' }] }), data(1, 2, 'x'));
  const [, published] = await session.commands(2);
  const fields = { retain: true, expiry: 60, content_type: 'text/plain', response_topic: 'a', correlation: '7' };
  assert.deepEqual(JSON.parse(published).publish.properties, { ...fields, user: [{ name: 'k', value: 'v' }] });
  session.events({ conn: 1, result: { token: 1 } });
  const messages = {
    messages: [{ topic: 'plain' }, { topic: 'asks', payload: Buffer.from('?') }],
    properties: { 1: { response_topic: 'answers', correlation: Buffer.from('c'), user: [{ name: 'k', value: '1' }] } },
  };
  session.events({ conn: 1, seq: 3, messages });
  const [, answer] = await session.commands(2);
  const { topic, payload, properties } = JSON.parse(answer).publish;
  assert.deepEqual([topic, payload, properties.correlation], ['answers', '?', 'c']);
  session.events({ conn: 1, result: { token: 2 } });
  await until(() => Requester.events.length === 5);
  assert.deepEqual(Requester.events, [
    [['path', '/ws']],
    'published 0 ',
    Code.PARAMS_TYPE_ERROR,
    ['plain', undefined, Code.REQUIRED_PARAMS_MISSED],
    ['asks', [['k', '1']], Code.SUCCESS],
  ]);
});

test('properties of an older gateway', async (t) => {
  const Requester = requester();
  const { session } = await begin(t, Requester, { features: ['state'] });
  assert.deepEqual(session.hello.features, ['state']);
  session.events(created(1, 'a'), data(1, 2, 'x'));
  await until(() => Requester.events.length === 3);
  assert.equal(Requester.events[1], `published ${Code.PARAMS_TYPE_ERROR} the gateway has no properties: it needs a newer version`);
});

test('one that waits does not delay others', async (t) => {
  const Recorder = recorder();
  Recorder.gate('wait');
  const { session } = await begin(t, Recorder);
  const events = [created(1, 'a'), data(1, 2, 'wait'), data(1, 3, 'behind'), created(2, 'b'), data(2, 2, 'beside')];
  session.send({ events, ping: 42 });
  await until(() => Recorder.events.includes('b beside'));
  assert.equal((await session.receive()).pong, 42);
  Recorder.open();
  await until(() => Recorder.events.at(-1) === 'a behind');
});

test('a failed callback closes its connection', async (t) => {
  const { session } = await begin(t, recorder());
  session.events(created(1, 'a'), data(1, 2, 'fail'));
  assert.deepEqual(await session.commands(2), ['{"conn":1,"ack":1}', '{"conn":1,"ack":2,"close":{}}']);
});

test('a callback that takes too long', async (t) => {
  const Recorder = recorder();
  Recorder.gate('wait');
  const { session } = await begin(t, Recorder, { call_timeout_ms: 30 });
  session.events(created(1, 'a'), data(1, 2, 'wait'), closed(1, 3, 'handler_timeout'));
  await until(() => Recorder.events.at(-1) === 'a closed handler_timeout');
});

test('a stream that ends', async (t) => {
  const Recorder = recorder();
  const { gateway, session } = await begin(t, Recorder);
  session.events(created(1, 'a'), data(1, 2, 'publish'), data(1, 3, 'behind'));
  await session.commands(2);
  session.call.cancel();
  await until(() => Recorder.events.at(-1) === 'a closed stream_lost');
  assert.deepEqual(Recorder.events.slice(1, -1), [`a published ${Code.CONN_PROCESS_NOT_ALIVE}`, 'a publish']);
  const again = await gateway.session();
  again.events({ ...created(5, 'a', { resumed: true, clientinfo: { clientid: 'c1' } }), seq: 0 }, data(5, 2, 'publish'));
  await again.commands(1);
  assert.equal(Recorder.events.at(-1), 'a resumed c1');
});

test('calls after the end', async (t) => {
  let conn;
  class Keeper extends Handler {
    onSocketCreated() {
      conn = this.conn;
    }
  }
  const { session } = await begin(t, Keeper);
  session.events(created(1, 'a'), closed(1, 2));
  for (let acked = 0; acked < 2; acked = Math.max(...(await session.receive()).commands.map(({ ack }) => ack)));
  assert.equal((await conn.publish('t', '')).code, Code.CONN_PROCESS_NOT_ALIVE);
});

test('large and many', async (t) => {
  class Echo extends Handler {
    async onReceivedBytes(bytes) {
      for (let n = 0; n < 100; n++) await this.conn.send(bytes);
    }
  }
  const { session } = await begin(t, Echo);
  session.events(created(1, 'a'), data(1, 2, Buffer.alloc(100_000)));
  const commands = [];
  let largest = 0;
  while (commands.at(-1)?.ack !== 2) {
    const frame = await session.receive();
    largest = Math.max(largest, frame.commands.length);
    commands.push(...frame.commands);
  }
  assert.equal(Buffer.concat(commands.filter(({ command }) => command === 'send').map(({ send }) => send)).length, 10_000_000);
  assert.ok(largest <= 11, `${largest} commands in a frame`);
});

test('a server that stops', async (t) => {
  const Recorder = recorder();
  const { gateway, session } = await begin(t, Recorder);
  session.events(created(1, 'a'), data(1, 2, 'publish'));
  await session.commands(2);
  const stopped = gateway.handler.stop();
  session.events(data(1, 3, 'not taken'), { conn: 1, result: { token: 1 } });
  assert.deepEqual(await session.commands(1), ['{"conn":1,"ack":2}']);
  await stopped;
  await until(() => session.ended);
  assert.deepEqual(Recorder.events, ['a created 0 ', 'a published 0', 'a publish', 'a closed stream_lost']);
});

test('no hello', async (t) => {
  const gateway = await serve(t, recorder());
  await assert.rejects(gateway.session({ version: 0 }), { code: status.FAILED_PRECONDITION });
});
