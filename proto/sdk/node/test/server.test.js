import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { credentials, Server as GrpcServer, ServerCredentials, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath } from 'grpc-health-check';
import { SESSION_SERVICE, STREAM_SERVICE, UNARY_SERVICE } from '../src/contract.js';
import { Handler, Server } from '../src/index.js';
import { FakeGateway, recorder, serve } from './gateway.js';

const conn = 'a';

test('health, also without the token', async (t) => {
  const gateway = await serve(t, recorder(), { token: 't0' });
  const { path, requestSerialize, responseDeserialize } = loadSync(protoPath)['grpc.health.v1.Health'].Check;
  for (const service of ['', UNARY_SERVICE, STREAM_SERVICE, SESSION_SERVICE]) {
    const answer = await new Promise((resolve, reject) => {
      const answered = (error, value) => (error ? reject(error) : resolve(value));
      gateway.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, answered);
    });
    assert.equal(answer.status, 1);
  }
});

test('reflection', async (t) => {
  const gateway = await serve(t, recorder());
  const call = gateway.client.makeBidiStreamRequest(
    '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    (request) => request,
    (answer) => answer,
  );
  call.end(Buffer.from([0x3a, 0x00])); // list_services of ""
  let listed = '';
  for await (const answer of call) listed += answer.toString();
  for (const service of [UNARY_SERVICE, STREAM_SERVICE, SESSION_SERVICE]) assert.ok(listed.includes(service), service);
});

for (const given of ['', 'wrong']) {
  test(`a gateway with the token "${given}"`, async (t) => {
    const Recorder = recorder();
    const gateway = await serve(t, Recorder, { token: 'right', gatewayToken: given });
    const refused = { code: status.UNAUTHENTICATED };
    await assert.rejects(gateway.unary('OnSocketCreated', { conn }), refused);
    await assert.rejects(gateway.stream('OnSocketCreated').answer, refused);
    await assert.rejects(gateway.session(), refused);
    assert.deepEqual(Recorder.events, []);
  });
}

test('a gateway with the token', async (t) => {
  const Recorder = recorder();
  const gateway = await serve(t, Recorder, { token: 'right', gatewayToken: 'right' });
  await gateway.unary('OnSocketCreated', { conn });
  await gateway.session();
  assert.deepEqual(Recorder.events, ['a created 0 ']);
});

test('mutual TLS both ways', async (t) => {
  class Greeter extends Handler {
    async onSocketCreated() {
      assert.ok((await this.conn.send('hello')).ok);
    }
  }
  const { key, cert } = selfSigned(t);
  const server = () => ServerCredentials.createSsl(cert, [{ private_key: key, cert_chain: cert }], true);
  const client = credentials.createSsl(cert, key, cert);
  const gateway = await serve(t, Greeter, { credentials: server(), adapterTLS: server(), gatewayTLS: client, adapterCredentials: client });
  await gateway.unary('OnSocketCreated', { conn });
  assert.deepEqual(gateway.calls, ['Send {"conn":"a","bytes":"hello"}']);
  const plain = new FakeGateway();
  plain.server = new GrpcServer();
  plain.connect(gateway.address);
  t.after(() => plain.stop());
  await assert.rejects(plain.unary('OnSocketCreated', { conn: 'b' }), { code: status.UNAVAILABLE });
});

/** A certificate for 127.0.0.1 that is its own authority. */
function selfSigned(t) {
  const folder = mkdtempSync(join(tmpdir(), 'handler-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name));
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', '-x509', ...curve, '-subj', '/CN=handler', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'pipe' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

test('a port that is taken', async (t) => {
  const gateway = await serve(t, recorder());
  await assert.rejects(new Server(recorder(), { listen: gateway.address }).start(), /EADDRINUSE/);
});
