import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { STREAM_SERVICE } from '../src/contract.js';
import { recorder, serve, until } from './gateway.js';

const conn = 'a';
const bytes = (text, id = conn) => ({ conn: id, bytes: Buffer.from(text) });

test('events overtake created', async (t) => {
  const Recorder = recorder();
  const gateway = await serve(t, Recorder);
  const data = gateway.stream('OnReceivedBytes');
  data.write(bytes('first'));
  data.write(bytes('second'));
  gateway.stream('OnSocketCreated').write({ conn });
  await until(() => Recorder.events.length === 3);
  assert.deepEqual(Recorder.events, ['a created 0 ', 'a first', 'a second']);
});

test('a connection of another process', async (t) => {
  const Recorder = recorder();
  const gateway = await serve(t, Recorder);
  gateway.stream('OnReceivedBytes').write(bytes('x'));
  await until(() => Recorder.events.length === 2);
  assert.deepEqual(Recorder.events, ['a resumed ?', 'a x']);
});

test('order, and side by side', async (t) => {
  const Recorder = recorder();
  Recorder.gate('wait');
  const gateway = await serve(t, Recorder);
  for (const id of ['a', 'b']) await gateway.unary('OnSocketCreated', { conn: id });
  const data = gateway.stream('OnReceivedBytes');
  for (let n = 0; n < 100; n++) data.write(bytes(n === 0 ? 'wait' : String(n)));
  data.write(bytes('beside', 'b'));
  await until(() => Recorder.events.includes('b beside'));
  Recorder.open();
  data.end();
  await data.answer;
  const want = Array.from({ length: 99 }, (_, n) => `a ${n + 1}`);
  assert.deepEqual(Recorder.events.filter((line) => line.startsWith('a')).slice(3), want);
});

test('a failed callback closes its connection', async (t) => {
  const Recorder = recorder();
  const gateway = await serve(t, Recorder);
  await gateway.unary('OnSocketCreated', { conn });
  const data = gateway.stream('OnReceivedBytes');
  data.write(bytes('fail'));
  data.write(bytes('next'));
  await until(() => gateway.calls.length === 1 && Recorder.events.includes('a next'));
  assert.deepEqual(gateway.calls, ['Close {"conn":"a"}']);
});

test('a stream survives more than it holds', async (t) => {
  const Recorder = recorder();
  const gateway = await serve(t, Recorder);
  await gateway.unary('OnSocketCreated', { conn });
  const data = gateway.stream('OnReceivedBytes');
  for (let n = 0; n < 3000; n++) data.write(bytes(String(n)));
  data.end();
  await data.answer;
  assert.deepEqual(
    Recorder.events.slice(1),
    Array.from({ length: 3000 }, (_, n) => `a ${n}`),
  );
});

test('a stream that is cancelled', async (t) => {
  const Recorder = recorder();
  const gateway = await serve(t, Recorder);
  await gateway.unary('OnSocketCreated', { conn });
  const data = gateway.stream('OnReceivedBytes');
  data.write(bytes('x'));
  await until(() => Recorder.events.includes('a x'));
  data.cancel();
  await assert.rejects(data.answer);
  await gateway.unary('OnReceivedBytes', bytes('goes on'));
  assert.equal(Recorder.events.at(-1), 'a goes on');
});

test('the unary form of EMQX 4.2', async (t) => {
  const Recorder = recorder();
  Recorder.gate('wait');
  const gateway = await serve(t, Recorder);
  const service = STREAM_SERVICE;
  await gateway.unary('OnSocketCreated', { conn }, { service });
  let answered = false;
  const waiting = gateway.unary('OnReceivedBytes', bytes('wait'), { service }).then(() => (answered = true));
  await until(() => Recorder.events.includes('a begins wait'));
  assert.ok(!answered);
  Recorder.open();
  await waiting;
  await assert.rejects(gateway.unary('OnReceivedBytes', bytes('fail'), { service }), { code: status.INTERNAL });
  await gateway.unary('OnSocketClosed', { conn, reason: 'handler_failed' }, { service });
  assert.deepEqual(Recorder.events, ['a created 0 ', 'a begins wait', 'a wait', 'a closed handler_failed']);
});
