import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { Code, Handler } from '../src/index.js';
import { recorder, serve, until } from './gateway.js';

const conn = 'a';
const conninfo = { socktype: 1, peername: { host: '192.0.2.1', port: 5 } };
const bytes = (text, id = conn) => ({ conn: id, bytes: Buffer.from(text) });

test('events of a connection', async (t) => {
  const Recorder = recorder();
  const gateway = await serve(t, Recorder);
  await gateway.unary('OnSocketCreated', { conn, conninfo });
  await gateway.unary('OnReceivedBytes', bytes('x'));
  await gateway.unary('OnTimerTimeout', { conn, type: 0 });
  const messages = [
    { topic: 't', payload: Buffer.from('1') },
    { topic: 'u', payload: Buffer.from('2') },
  ];
  await gateway.unary('OnReceivedMessages', { conn, messages });
  await gateway.unary('OnSocketClosed', { conn, reason: 'normal' });
  assert.deepEqual(Recorder.events, ['a created 1 192.0.2.1', 'a x', 'a timer 0', 'a t=1 u=2', 'a closed normal']);
});

test('calls of the adapter', async (t) => {
  class Caller extends Handler {
    async onReceivedBytes() {
      const c = this.conn;
      const login = await c.authenticate({ clientid: 'c', username: 'u', mountpoint: 'm/' }, 'p');
      const results = [login, await c.startTimer(30), await c.publish('t', 'x', 2), await c.subscribe('t/#', 1), await c.unsubscribe('t/#')];
      results.push(await c.rawPublish('r', Buffer.from('y')), await c.send('z'), await c.close());
      assert.ok(results.every(({ ok }) => ok));
    }
  }
  const gateway = await serve(t, Caller, { adapterToken: 's3' });
  await gateway.unary('OnReceivedBytes', bytes('x'));
  assert.deepEqual(gateway.calls, [
    'Authenticate {"conn":"a","clientinfo":{"clientid":"c","username":"u","mountpoint":"m/"},"password":"p"}',
    'StartTimer {"conn":"a","interval":30}',
    'Publish {"conn":"a","topic":"t","qos":2,"payload":"x"}',
    'Subscribe {"conn":"a","topic":"t/#","qos":1}',
    'Unsubscribe {"conn":"a","topic":"t/#"}',
    'RawPublish {"topic":"r","payload":"y"}',
    'Send {"conn":"a","bytes":"z"}',
    'Close {"conn":"a"}',
  ]);
  assert.deepEqual(gateway.metadata.get('authorization'), ['Bearer s3']);
});

test('results', async (t) => {
  const results = [];
  class Caller extends Handler {
    async onReceivedBytes(data) {
      results.push(await this.conn.publish('t', 'x', JSON.parse(data)));
    }
  }
  const gateway = await serve(t, Caller);
  gateway.codes.Publish = Code.PERMISSION_DENY;
  for (const qos of ['1', '-1', '"high"', '4294967296']) await gateway.unary('OnReceivedBytes', bytes(qos));
  gateway.server.forceShutdown();
  await gateway.unary('OnReceivedBytes', bytes('1'));
  const { PERMISSION_DENY, PARAMS_TYPE_ERROR, UNKNOWN } = Code;
  const codes = results.map(({ code }) => code);
  assert.deepEqual(codes, [PERMISSION_DENY, PARAMS_TYPE_ERROR, PARAMS_TYPE_ERROR, PARAMS_TYPE_ERROR, UNKNOWN]);
  assert.match(results[4].message, new RegExp(`^calling the adapter at ${gateway.adapter}: UNAVAILABLE: `));
});

test('one at a time but side by side', async (t) => {
  const Recorder = recorder();
  Recorder.gate('wait');
  const gateway = await serve(t, Recorder);
  const slow = gateway.unary('OnReceivedBytes', bytes('wait'));
  await until(() => Recorder.events.includes('a begins wait'));
  const behind = gateway.unary('OnReceivedBytes', bytes('behind'));
  await gateway.unary('OnReceivedBytes', bytes('beside', 'b'));
  Recorder.open();
  await Promise.all([slow, behind]);
  assert.deepEqual(Recorder.events, ['a resumed ?', 'a begins wait', 'b resumed ?', 'b beside', 'a wait', 'a behind']);
});

test('a failed callback fails its RPC', async (t) => {
  const Recorder = recorder();
  const gateway = await serve(t, Recorder);
  await assert.rejects(gateway.unary('OnReceivedBytes', bytes('fail')), ({ code, details }) => {
    assert.ok(!details.includes('told to'));
    return code === status.INTERNAL;
  });
  assert.deepEqual(gateway.log, ['onReceivedBytes of connection a failed']);
  await gateway.unary('OnReceivedBytes', bytes('goes on'));
  assert.equal(Recorder.events.at(-1), 'a goes on');
});

test('a class whose constructor throws', async (t) => {
  const Recorder = recorder();
  class Bad extends Recorder {
    constructor(c) {
      super(c);
      if (c.id === 'bad') throw new Error('no');
    }
  }
  const gateway = await serve(t, Bad);
  await assert.rejects(gateway.unary('OnSocketCreated', { conn: 'bad' }));
  await gateway.unary('OnSocketClosed', { conn: 'bad', reason: 'handler_failed' });
  await gateway.unary('OnReceivedBytes', bytes('x', 'good'));
  assert.deepEqual(Recorder.events, ['good resumed ?', 'good x']);
});

test('events after the last', async (t) => {
  const Recorder = recorder();
  const gateway = await serve(t, Recorder);
  await gateway.unary('OnSocketClosed', { conn: 'never', reason: 'normal' });
  await gateway.unary('OnSocketCreated', { conn });
  await gateway.unary('OnSocketClosed', { conn, reason: 'normal' });
  await gateway.unary('OnReceivedBytes', bytes('late'));
  assert.deepEqual(Recorder.events, ['a created 0 ', 'a closed normal']);
});

test('a callback that the gateway gave up no longer holds its connection', async (t) => {
  const Recorder = recorder();
  Recorder.gate('wait');
  const gateway = await serve(t, Recorder);
  const controller = new AbortController();
  const given = gateway.unary('OnReceivedBytes', bytes('wait'), { signal: controller.signal });
  await until(() => Recorder.events.includes('a begins wait'));
  controller.abort();
  await assert.rejects(given);
  await gateway.unary('OnReceivedBytes', bytes('next'));
  assert.equal(Recorder.events.at(-1), 'a next');
});
