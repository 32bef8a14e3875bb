import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { Adapter, MAX_MESSAGE_BYTES } from './adapter.js';
import { contract, SESSION_SERVICE, STREAM_SERVICE, UNARY_SERVICE } from './contract.js';
import { RPCDialects } from './rpc.js';
import { SessionDialect } from './session.js';
import { requireToken } from './token.js';

const SERVICES = [UNARY_SERVICE, STREAM_SERVICE, SESSION_SERVICE];
const WRITING = 250; // milliseconds to send the last answers

/** Serves every dialect on one port, with health and reflection. index.d.ts documents its settings. */
export class Server {
  #settings;
  #adapter;
  #grpc;
  #health;
  #session;
  #work = new Set(); // the running work of connections

  constructor(handler, { callTimeout = 30_000, log = (message, error) => console.error(message, error), ...settings }) {
    this.#settings = settings;
    this.#adapter = settings.adapter
      ? new Adapter(settings.adapter, { credentials: settings.adapterCredentials, token: settings.adapterToken, timeout: callTimeout })
      : null;
    this.#grpc = this.#serve({ make: (conn) => new handler(conn), program: handler.name, log, work: this.#work });
  }

  #serve(server) {
    const { token } = this.#settings;
    const grpc = new GrpcServer({
      interceptors: token ? [requireToken(token)] : [],
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    });
    const rpc = new RPCDialects(server, this.#adapter);
    this.#session = new SessionDialect(server);
    grpc.addService(contract[UNARY_SERVICE], rpc.unary());
    grpc.addService(contract[STREAM_SERVICE], rpc.stream());
    grpc.addService(contract[SESSION_SERVICE], this.#session.methods());
    this.#health = new HealthImplementation(Object.fromEntries(['', ...SERVICES].map((service) => [service, 'SERVING'])));
    this.#health.addToServer(grpc);
    new ReflectionService(contract, { services: SERVICES }).addToServer(grpc);
    return grpc;
  }

  async start() {
    const { listen, credentials = ServerCredentials.createInsecure() } = this.#settings;
    const port = await new Promise((resolve, reject) => {
      this.#grpc.bindAsync(listen, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    return `${listen.slice(0, listen.lastIndexOf(':'))}:${port}`;
  }

  async stop(grace = 5000) {
    for (const service of ['', ...SERVICES]) this.#health.setStatus(service, 'NOT_SERVING');
    const shut = new Promise((resolve) => this.#grpc.tryShutdown(resolve));
    await within(grace, Promise.all([this.#session.stop(), ...this.#work]));
    await within(WRITING, shut); // which never happens if a gateway closed its connection at the same moment
    this.#grpc.forceShutdown();
    this.#adapter?.close();
  }
}

async function within(milliseconds, work) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** Runs a Server until SIGINT or SIGTERM, and prints a line once it is ready. */
export async function run(handler, settings) {
  const server = new Server(handler, settings);
  const address = await server.start();
  const stop = () => server.stop().then(() => process.exit());
  process.once('SIGINT', stop).once('SIGTERM', stop);
  console.log(`handler on ${address} calls the adapter at ${settings.adapter}`);
}
